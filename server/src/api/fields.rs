//! Reads the fields of a body, collects what is wrong with each, and refuses fields that nobody asked for.

use std::collections::BTreeMap;

use registry::Timestamp;
use registry::href::{Kind, VersionName};
use serde_json::{Map, Value, json};
use storage::Labels;
use uuid::Uuid;

use super::error::ApiError;

/// Longest text that a field takes, in bytes; certificates and keys fit well within.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// The fields of a body. Each is taken once; what is left in the end is unexpected.
#[derive(Debug)]
pub(crate) struct Fields {
    values: Map<String, Value>,
    errors: BTreeMap<String, Vec<String>>,
    /// What is wrong within objects.
    errors_within: Map<String, Value>,
}

impl Fields {
    pub(crate) fn new(values: Map<String, Value>) -> Self {
        Self { values, errors: BTreeMap::new(), errors_within: Map::new() }
    }

    /// Whether the field was sent.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Notes what is wrong with a field.
    pub(crate) fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.errors.entry(name.to_owned()).or_default().push(message.into());
    }

    /// Notes an error for each of `names` that was not sent.
    pub(crate) fn require(&mut self, names: &[&str]) {
        for name in names {
            if !self.has(name) {
                self.refuse(name, "This field is required.");
            }
        }
    }

    /// Leaves the other fields unread: what they mean is not known.
    pub(crate) fn ignore_rest(&mut self) {
        self.values.clear();
    }

    /// Every error that was noted, and one for each field that is left.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        let errors = self.into_errors();
        if errors.is_empty() { Ok(()) } else { Err(ApiError::bad_request(errors.into())) }
    }

    fn into_errors(mut self) -> Map<String, Value> {
        for name in std::mem::take(&mut self.values).into_iter().map(|(name, _)| name).take(50) {
            self.refuse(&name, "Unexpected field");
        }
        let mut errors = self.errors_within;
        errors.extend(self.errors.into_iter().map(|(name, messages)| (name, json!(messages))));
        errors
    }

    /// Reads the fields of an object by `read`. What is wrong with them is told below its name.
    pub(crate) fn object<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let values = self.take(name, |value| match value {
            Value::Object(values) => Ok(values.clone()),
            _ => Err("Expected a dictionary of items.".to_owned()),
        })?;
        let mut within = Self::new(values);
        let found = read(&mut within);
        let errors = within.into_errors();
        if errors.is_empty() {
            return found;
        }
        self.errors_within.insert(name.to_owned(), errors.into());
        None
    }

    /// Reads a value by `read`; a null or a refusal is noted.
    fn take<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Result<T, String>) -> Option<T> {
        self.take_nullable(name, read).and_then(|value| {
            if value.is_none() {
                self.refuse(name, "This field may not be null.");
            }
            value
        })
    }

    /// Reads a value by `read`, or null.
    fn take_nullable<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<Option<T>> {
        match self.values.remove(name)? {
            Value::Null => Some(None),
            value => match read(&value) {
                Ok(value) => Some(Some(value)),
                Err(message) => {
                    self.refuse(name, message);
                    None
                }
            },
        }
    }

    /// Text that says something.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.take(name, |value| match read_text(value)? {
            text if text.trim().is_empty() => Err("This field may not be blank.".to_owned()),
            text => Ok(text),
        })
    }

    /// Text of at most 255 characters that says something, without the space around it.
    pub(crate) fn name(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?.trim().to_owned();
        if text.chars().count() > 255 {
            self.refuse(name, "Ensure this field has no more than 255 characters.");
            return None;
        }
        if text.chars().any(char::is_control) {
            self.refuse(name, "Control characters are not allowed.");
            return None;
        }
        Some(text)
    }

    /// Text that may be null; empty text is null too.
    pub(crate) fn nullable_text(&mut self, name: &str) -> Option<Option<String>> {
        self.take_nullable(name, read_text).map(|text| text.filter(|text| !text.is_empty()))
    }

    /// A text that `check` accepts, or null. What it refuses is noted with its words.
    pub(crate) fn nullable_checked(
        &mut self,
        name: &str,
        check: impl FnOnce(&str) -> Result<(), String>,
    ) -> Option<Option<String>> {
        let text = self.nullable_text(name)?;
        if let Some(Err(message)) = text.as_deref().map(check) {
            self.refuse(name, message);
            return None;
        }
        Some(text)
    }

    /// A moment (RFC 3339).
    pub(crate) fn moment(&mut self, name: &str) -> Option<Timestamp> {
        self.take_nullable(name, |value| super::filter::time(&read_text(value)?)).flatten()
    }

    /// One of a few words.
    pub(crate) fn choice<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.take(name, |value| {
            let text = read_text(value)?;
            read(&text).ok_or_else(|| format!("\"{text}\" is not a valid choice."))
        })
    }

    pub(crate) fn boolean(&mut self, name: &str) -> Option<bool> {
        self.take(name, |value| match value {
            Value::Bool(flag) => Ok(*flag),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err("Must be a valid boolean.".to_owned()),
        })
    }

    /// A whole number of at least `least`, or null.
    pub(crate) fn nullable_number(&mut self, name: &str, least: i64) -> Option<Option<i64>> {
        self.take_nullable(name, |value| {
            let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
            let number = number.ok_or("A valid integer is required.")?;
            if number < least {
                return Err(format!("Ensure this value is greater than or equal to {least}."));
            }
            if number > i64::from(i32::MAX) {
                return Err(format!("Ensure this value is less than or equal to {}.", i32::MAX));
            }
            Ok(number)
        })
    }

    /// A number of bytes.
    pub(crate) fn size(&mut self, name: &str) -> Option<u64> {
        self.take(name, |value| {
            let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
            let number = number.ok_or("A valid integer is required.")?;
            u64::try_from(number).map_err(|_| "Ensure this value is greater than or equal to 0.".to_owned())
        })
    }

    /// Seconds, not negative, or null.
    pub(crate) fn nullable_seconds(&mut self, name: &str) -> Option<Option<f64>> {
        self.take_nullable(name, |value| {
            let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
            match number.filter(|seconds| seconds.is_finite()) {
                None => Err("A valid number is required.".to_owned()),
                Some(seconds) if seconds < 0.0 => {
                    Err("Ensure this value is greater than or equal to 0.0.".to_owned())
                }
                Some(seconds) => Ok(seconds),
            }
        })
    }

    /// A text as `read` reads it. What it refuses is noted with its words.
    pub(crate) fn checked<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.take(name, |value| read(&read_text(value)?))
    }

    /// Texts, each as `read` reads it; null is as good as absent.
    pub(crate) fn texts_that<T>(
        &mut self,
        name: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let texts = self.take_nullable(name, |value| match value {
            Value::Array(items) => items.iter().map(|item| read(&read_text(item)?)).collect(),
            _ => Err("Expected a list of items.".to_owned()),
        });
        texts.flatten()
    }

    /// Texts, or null.
    pub(crate) fn nullable_texts(&mut self, name: &str) -> Option<Option<Vec<String>>> {
        self.take_nullable(name, |value| match value {
            Value::Array(items) => items.iter().map(read_text).collect(),
            _ => Err("Expected a list of items.".to_owned()),
        })
    }

    pub(crate) fn labels(&mut self, name: &str) -> Option<Labels> {
        self.take(name, |value| {
            let labels = read_labels(value)?;
            labels.iter().try_for_each(|(key, value)| super::labels::check(key, value))?;
            Ok(labels)
        })
    }

    /// Header objects, each of one name and value; null is none.
    pub(crate) fn headers(&mut self, name: &str) -> Option<Vec<Labels>> {
        let read = |value: &Value| match value {
            Value::Array(items) => items.iter().map(read_labels).collect(),
            _ => Err("Expected a list of items.".to_owned()),
        };
        self.take_nullable(name, read).map(Option::unwrap_or_default)
    }

    /// The ids in paths or resource names, or null.
    pub(crate) fn nullable_hrefs(&mut self, name: &str, kind: Kind) -> Option<Option<Vec<Uuid>>> {
        let texts = self.nullable_texts(name)?;
        let mut ids = Vec::new();
        for text in texts.iter().flatten() {
            match kind.parse(text) {
                Some(id) => ids.push(id),
                None => self.refuse(name, format!("Invalid hyperlink - No URL match: \"{text}\".")),
            }
        }
        Some(texts.map(|_| ids))
    }

    /// The id in a path or resource name, or null.
    pub(crate) fn nullable_href(&mut self, name: &str, kind: Kind) -> Option<Option<Uuid>> {
        self.take_nullable(name, |value| {
            let text = read_text(value)?;
            kind.parse(&text).ok_or_else(|| "Invalid hyperlink - No URL match.".to_owned())
        })
    }

    /// A version's path or resource name, or null.
    pub(crate) fn nullable_version(&mut self, name: &str) -> Option<Option<VersionName>> {
        self.take_nullable(name, |value| {
            VersionName::parse(&read_text(value)?)
                .filter(|named| !matches!(named, VersionName::Latest(_)))
                .ok_or_else(|| "Invalid hyperlink - No URL match.".to_owned())
        })
    }

    /// A field of Pulp's that isn't here yet: only null is accepted.
    pub(crate) fn only_null(&mut self, name: &str, why: &str) {
        if self.values.remove(name).is_some_and(|value| !value.is_null()) {
            self.refuse(name, why);
        }
    }
}

fn read_text(value: &Value) -> Result<String, String> {
    let text = value.as_str().ok_or("Not a valid string.")?;
    if text.len() > MAX_TEXT_BYTES {
        return Err(format!("Ensure this field has no more than {MAX_TEXT_BYTES} characters."));
    }
    if text.contains('\0') {
        return Err("Null characters are not allowed.".to_owned());
    }
    Ok(text.to_owned())
}

fn read_labels(value: &Value) -> Result<Labels, String> {
    let Value::Object(entries) = value else {
        return Err("Expected a dictionary of items.".to_owned());
    };
    entries
        .iter()
        .map(|(key, value)| match value {
            Value::Null => Ok((key.clone(), String::new())),
            value => Ok((key.clone(), read_text(value)?)),
        })
        .collect()
}

#[cfg(test)]
mod tests;
