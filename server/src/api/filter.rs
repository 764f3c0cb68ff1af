//! Reads a list's query string by the list's table.

use openapi::filters::{FilterSpec, ListSpec, Value};
use poem::{FromRequest, Request, RequestBody, Result};
use registry::Timestamp;
use registry::href::{API_ROOT, Kind, VersionName};
use serde_json::json;
use storage::{Filter, FilterValue, ListQuery, Op, OrderBy};
use uuid::Uuid;

use super::error::ApiError;
use super::{label_select, q};
use crate::AppState;
use crate::origin::Origin;
use crate::telemetry::CorrelationId;

const DEFAULT_LIMIT: u64 = 100;
/// More ids or names than this in one filter are no honest request, and more than the database takes.
const MAX_VALUES: usize = 1_000;
/// How long Pulp keeps what nothing uses, unless told otherwise.
const ORPHAN_PROTECTION_MINUTES: i64 = 24 * 60;
/// Longer ago than anything.
const MAX_MINUTES: i64 = 200 * 366 * 24 * 60;
/// Unknown parameters that an answer names.
const MAX_UNKNOWN: usize = 50;

/// What a list request came with.
pub(crate) struct ListRequest {
    pairs: Vec<(String, String)>,
    url: String,
    /// What clients put before a name when they pull.
    pub(crate) host: String,
    pub(crate) limit: u64,
    pub(crate) offset: u64,
    /// The moment that relative times are counted from.
    now: Timestamp,
    pub(crate) cid: CorrelationId,
}

impl<'a> FromRequest<'a> for ListRequest {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        let query = request.uri().query().unwrap_or_default();
        let pairs: Vec<(String, String)> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let state = request.data::<AppState>().expect("the state is set where the routes are built");
        let origin = Origin::of(state, request);
        let url = format!("{}{API_ROOT}{}/", origin.base(), request.uri().path().trim_matches('/'));
        let host = origin.host.to_string();
        let number = |name: &str, default| match pairs.iter().rev().find(|(key, _)| key == name) {
            None => Ok(default),
            Some((_, text)) => match text.parse::<u64>() {
                Ok(number) => Ok(number.min(i64::MAX as u64)),
                Err(_) => Err(ApiError::field(name, "Enter a whole number of at least 0.")),
            },
        };
        let (limit, offset) = (number("limit", DEFAULT_LIMIT)?, number("offset", 0)?);
        let now = state.catalog.now();
        Ok(Self { pairs, url, host, limit, offset, now, cid: CorrelationId::of_request(request) })
    }
}

impl ListRequest {
    /// The URL of another part of the same list.
    pub(crate) fn url_at(&self, offset: u64) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs.iter().filter(|(key, _)| key != "limit" && key != "offset"));
        query.append_pair("limit", &self.limit.to_string()).append_pair("offset", &offset.to_string());
        format!("{}?{}", self.url, query.finish())
    }

    /// Compiles the parameters. One that the list doesn't know is refused: ignoring it would show too much.
    pub(crate) fn query(&self, spec: &ListSpec) -> Result<ListQuery, ApiError> {
        let mut query = ListQuery { limit: self.limit, offset: self.offset, ..ListQuery::default() };
        let (mut filters, mut unknown) = (Vec::new(), Vec::new());
        let mut names: Vec<&str> = self.pairs.iter().map(|(key, _)| key.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            // A parameter that is repeated means the same as one with commas.
            let values: Vec<&str> =
                self.pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect();
            match name {
                "limit" | "offset" | "fields" | "exclude_fields" => {}
                "ordering" => query.order = ordering(spec, &values.join(","))?,
                "q" => filters.push(
                    q::parse(spec, &values.join(" AND "), self.now)
                        .map_err(|message| ApiError::field("q", message))?,
                ),
                _ => match spec.filters.iter().find(|filter| filter.name == name) {
                    Some(known) => filters.push(
                        read(known, &values.join(","), self.now)
                            .map_err(|message| ApiError::field(name, message))?,
                    ),
                    None => unknown.push(format!("Invalid Filter: '{name}'")),
                },
            }
        }
        if !unknown.is_empty() {
            unknown.truncate(MAX_UNKNOWN);
            return Err(ApiError::bad_request(json!({ "errors": unknown })));
        }
        query.filter = (!filters.is_empty()).then_some(Filter::All(filters));
        Ok(query)
    }
}

fn ordering(spec: &ListSpec, text: &str) -> Result<Vec<OrderBy>, ApiError> {
    (text.split(',').filter(|key| !key.is_empty()))
        .map(|key| {
            let (name, descending) = key.strip_prefix('-').map_or((key, false), |name| (name, true));
            let field = spec.orderings.iter().find(|field| **field == name);
            let field = field.ok_or_else(|| {
                let message = format!("Select a valid choice. {key} is not one of the available choices.");
                ApiError::field("ordering", message)
            })?;
            Ok(OrderBy { field, descending })
        })
        .collect()
}

/// Reads the value of one filter; the error says what would be right.
pub(super) fn read(spec: &FilterSpec, text: &str, now: Timestamp) -> Result<Filter, String> {
    if text.contains('\0') {
        return Err("Null characters are not allowed.".to_owned());
    }
    let value = match spec.value {
        Value::Text | Value::Resource => match spec.op {
            Op::Regex | Op::IRegex => FilterValue::Text(checked_regex(text)?),
            _ => FilterValue::Text(resource_name(spec.value, text)),
        },
        Value::Texts => FilterValue::Texts(split(text)?.map(str::to_owned).collect()),
        Value::Resources => {
            FilterValue::Texts(split(text)?.map(|text| resource_name(Value::Resource, text)).collect())
        }
        Value::Int => FilterValue::Int(int(text)?),
        Value::IntRange => FilterValue::Ints(two(text, int)?),
        Value::Bool => FilterValue::Bool(boolean(text)?),
        Value::Time => FilterValue::Time(time(text)?),
        Value::TimeRange => FilterValue::Times(two(text, time)?),
        Value::Ids => FilterValue::Ids(
            split(text)?
                .map(|text| Uuid::try_parse(text).map_err(|_| format!("\"{text}\" is not a valid id.")))
                .collect::<Result<_, _>>()?,
        ),
        Value::Href(kind) => FilterValue::Id(href(kind, text)?),
        Value::Hrefs(kind) => {
            FilterValue::Ids(split(text)?.map(|text| href(kind, text)).collect::<Result<_, _>>()?)
        }
        Value::Version => FilterValue::Versions(vec![version(text)?]),
        Value::TwoVersions => FilterValue::Versions(two(text, version)?),
        Value::Versions => FilterValue::Versions(split(text)?.map(one_version).collect::<Result<_, _>>()?),
        Value::Content => FilterValue::Id(content(text)?),
        Value::Contents => FilterValue::Ids(split(text)?.map(content).collect::<Result<_, _>>()?),
        Value::Minutes => FilterValue::Time(minutes_before(now, int(text)?)),
        Value::Labels => FilterValue::Labels(label_select::parse(text)?),
        Value::Choice(words) => FilterValue::Text(choice(words, text)?.to_owned()),
        Value::Choices(words) => FilterValue::Texts(
            split(text)?.map(|text| choice(words, text).map(str::to_owned)).collect::<Result<_, _>>()?,
        ),
    };
    Ok(Filter::Field { field: spec.field, op: spec.op, value })
}

/// Tasks keep resource names; people filter by paths, too.
fn resource_name(value: Value, text: &str) -> String {
    let named = Kind::ALL.iter().find_map(|kind| kind.parse(text).map(|id| kind.prn(id)));
    named.filter(|_| value == Value::Resource).unwrap_or_else(|| text.to_owned())
}

fn split(text: &str) -> Result<impl Iterator<Item = &str>, String> {
    if text.split(',').count() > MAX_VALUES {
        return Err(format!("At most {MAX_VALUES} values are allowed."));
    }
    Ok(text.split(',').map(str::trim).filter(|part| !part.is_empty()))
}

fn two<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let values = split(text)?.map(read).collect::<Result<Vec<_>, _>>()?;
    if values.len() == 2 { Ok(values) } else { Err("Range query expects two values.".to_owned()) }
}

fn int(text: &str) -> Result<i64, String> {
    text.trim().parse().map_err(|_| "Enter a number.".to_owned())
}

fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("Enter true or false.".to_owned()),
    }
}

pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    // A plus sign that was not encoded arrives as a space.
    let text = text.trim().replace(' ', "+");
    if let Ok(moment) = chrono::DateTime::parse_from_rfc3339(&text) {
        return Ok(moment.to_utc().into());
    }
    let mut naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d+%H:%M:%S%.f"].iter();
    let naive = naive.find_map(|format| chrono::NaiveDateTime::parse_from_str(&text, format).ok());
    let day =
        || chrono::NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0));
    naive
        .or_else(day)
        .map(|moment| moment.and_utc().into())
        .ok_or_else(|| "Enter a valid date/time.".to_owned())
}

/// A version, or a repository, whose latest version is meant.
fn version(text: &str) -> Result<VersionName, String> {
    VersionName::parse(text.trim()).ok_or_else(|| format!("URI not valid: {text}"))
}

fn one_version(text: &str) -> Result<VersionName, String> {
    let named = version(text)?;
    if matches!(named, VersionName::Latest(_)) { Err(format!("URI not valid: {text}")) } else { Ok(named) }
}

fn content(text: &str) -> Result<Uuid, String> {
    let kinds = [Kind::Blob, Kind::Manifest, Kind::Tag];
    kinds.iter().find_map(|kind| kind.parse(text)).ok_or_else(|| format!("URI not valid: {text}"))
}

fn minutes_before(now: Timestamp, minutes: i64) -> Timestamp {
    let minutes = if minutes < 0 { ORPHAN_PROTECTION_MINUTES } else { minutes.min(MAX_MINUTES) };
    now.plus_seconds(-60 * minutes)
}

fn href(kind: Kind, text: &str) -> Result<Uuid, String> {
    kind.parse(text).ok_or_else(|| format!("URI not valid: {text}"))
}

fn choice(words: &'static [&'static str], text: &str) -> Result<&'static str, String> {
    let word = words.iter().find(|word| **word == text).copied();
    word.ok_or_else(|| format!("Select a valid choice. {text} is not one of the available choices."))
}

/// The database would refuse a bad expression too, but with an internal error.
fn checked_regex(text: &str) -> Result<String, String> {
    if text.len() > 1_000 {
        return Err("The regular expression is longer than 1000 characters.".to_owned());
    }
    regex::Regex::new(text).map(|_| text.to_owned()).map_err(|_| "Must be a valid regex pattern.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use openapi::filters;

    fn request(query: &str) -> ListRequest {
        ListRequest {
            pairs: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            url: "http://h/x/".to_owned(),
            host: "h".to_owned(),
            limit: 10,
            offset: 20,
            now: Timestamp::from_micros(0),
            cid: CorrelationId(String::new(), None),
        }
    }

    async fn error(query: &str) -> serde_json::Value {
        use poem::IntoResponse;
        let error = request(query).query(&filters::tasks()).unwrap_err();
        serde_json::from_str(&error.into_response().into_body().into_string().await.unwrap()).unwrap()
    }

    #[test]
    fn filters_become_conditions() {
        let query = request("name=a&state__in=running,failed&ordering=-name&fields=x")
            .query(&filters::tasks())
            .unwrap();
        let field = |field, op, value| Filter::Field { field, op, value };
        assert_eq!(
            query.filter,
            Some(Filter::All(vec![
                field("name", Op::Eq, FilterValue::Text("a".into())),
                field("state", Op::In, FilterValue::Texts(vec!["running".into(), "failed".into()])),
            ]))
        );
        assert_eq!(query.order, [OrderBy { field: "name", descending: true }]);
        assert_eq!((query.limit, query.offset), (10, 20));
        let id = Uuid::from_u128(7);
        let by_path = format!("reserved_resources={}", Kind::Repository.href(id));
        let query = request(&by_path).query(&filters::tasks()).unwrap();
        let value = FilterValue::Text(Kind::Repository.prn(id));
        assert_eq!(query.filter, Some(Filter::All(vec![field("reserved_resources", Op::Eq, value)])));
    }

    #[tokio::test]
    async fn bad_parameters_are_named() {
        assert_eq!(error("foo=1").await, json!({"errors": ["Invalid Filter: 'foo'"]}));
        let both = json!({"errors": ["Invalid Filter: 'bar'", "Invalid Filter: 'foo'"]});
        assert_eq!(error("foo=1&name=a&bar=2&foo=3").await, both);
        assert_eq!(
            error("ordering=zz").await,
            json!({"ordering": ["Select a valid choice. zz is not one of the available choices."]})
        );
        assert_eq!(error("q=foo%3D1").await, json!({"q": ["Filter 'foo' does not exist."]}));
        assert_eq!(
            error("started_at__gte=soon").await,
            json!({"started_at__gte": ["Enter a valid date/time."]})
        );
        assert_eq!(
            error("started_at__range=2026-01-01").await,
            json!({"started_at__range": ["Range query expects two values."]})
        );
        assert_eq!(
            error("state=gone").await,
            json!({"state": ["Select a valid choice. gone is not one of the available choices."]})
        );
        assert_eq!(error("name=%00").await, json!({"name": ["Null characters are not allowed."]}));
        assert_eq!(error("worker=/x/").await, json!({"worker": ["URI not valid: /x/"]}));
    }

    #[test]
    fn moments_are_read_in_many_forms() {
        let expected = Timestamp::from_micros(1_767_225_600_000_000);
        for text in [
            "2026-01-01",
            "2026-01-01T00:00:00Z",
            "2026-01-01T01:00:00 01:00",
            "2026-01-01T00:00:00.000",
            "2026-01-01 00:00:00",
        ] {
            assert_eq!(time(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn other_parts_keep_the_filters() {
        assert_eq!(request("name=a%20b&offset=20").url_at(30), "http://h/x/?name=a+b&limit=10&offset=30");
    }
}
