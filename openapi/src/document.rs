//! The document in the two forms that clients read, made from what poem-openapi wrote.
//!
//! poem-openapi leaves four things open: it marks nothing nullable, it cannot declare a list's filters from a table, it
//! knows nothing of Pulp's versions, and its paths are ours. Generators like paths with `{pulp_id}`; the `pulp` command
//! wants keys such as `{container_container_repository_href}sync/`, without a slash in front.

use registry::href::{API_ROOT, Kind};
use serde_json::{Map, Value, json};

use crate::filters::{self, FilterSpec, ListSpec, Value as Meaning};
use crate::{CONTAINER_VERSION, CORE_VERSION};

/// The form of the paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `/pulp/api/v3/tasks/{pulp_id}/`
    Ids,
    /// `{task_href}`
    Hrefs,
}

/// Operations that anybody may call.
const PUBLIC: [&str; 2] = ["status_read", "livez_read"];
/// Operations whose answer is no JSON, of which fields could be chosen.
const WITHOUT_FIELDS: [&str; 1] = ["tasks_events"];
const METHODS: [&str; 4] = ["get", "post", "put", "patch"];

/// Finishes the document that poem-openapi wrote.
///
/// # Panics
///
/// When `written` is not an OpenAPI document.
pub fn finish(written: &str, form: Form) -> Value {
    let mut document: Value = serde_json::from_str(written).expect("poem-openapi writes JSON");
    document["info"]["x-pulp-app-versions"] = json!({"core": CORE_VERSION, "container": CONTAINER_VERSION});
    document["info"]["x-pulp-domain-enabled"] = false.into();
    if let Some(root) = document.as_object_mut() {
        root.remove("servers");
        root.insert("security".to_owned(), json!([{"basicAuth": []}]));
    }
    let schemas = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut);
    for schema in schemas.into_iter().flat_map(Map::values_mut) {
        mark_nullable(schema);
    }
    let lists = filters::all();
    let paths = std::mem::take(&mut document["paths"]);
    let mut finished = Map::new();
    for (path, mut item) in paths.as_object().cloned().unwrap_or_default() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            finish_operation(method, operation, &lists);
        }
        // poem-openapi drops the slash that all of Pulp's paths end with.
        let path = format!("{API_ROOT}{}/", path.trim_matches('/'));
        let path = if form == Form::Hrefs { name_by_href(&path, &mut item) } else { path };
        finished.insert(path, item);
    }
    document["paths"] = finished.into();
    document
}

/// What need not be there may be null.
fn mark_nullable(schema: &mut Value) {
    let required: Vec<String> = (schema["required"].as_array().into_iter().flatten())
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    for (name, property) in schema["properties"].as_object_mut().into_iter().flatten() {
        if required.contains(name) {
            continue;
        }
        if property.get("$ref").is_some() {
            *property = json!({"allOf": [property.take()], "nullable": true});
        } else if let Some(property) =
            property.as_object_mut().filter(|property| property.contains_key("type"))
        {
            property.insert("nullable".to_owned(), true.into());
        }
    }
}

fn finish_operation(method: &str, operation: &mut Value, lists: &[ListSpec]) {
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    for response in operation["responses"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        if response["description"].as_str().is_none_or(str::is_empty) {
            response["description"] = "The answer.".into();
        }
    }
    if PUBLIC.contains(&id.as_str()) {
        operation["security"] = json!([]);
    }
    let mut declared = Vec::new();
    if let Some(list) = lists.iter().find(|list| list.operation_id == id) {
        declared.extend(list_parameters(list));
    }
    if method == "get" && !PUBLIC.contains(&id.as_str()) && !WITHOUT_FIELDS.contains(&id.as_str()) {
        declared.push(csv("fields", &json!({"type": "string"}), "Fields to show, and no others."));
        declared.push(csv("exclude_fields", &json!({"type": "string"}), "Fields to leave out."));
    }
    if declared.is_empty() {
        return;
    }
    if !operation["parameters"].is_array() {
        operation["parameters"] = json!([]);
    }
    operation["parameters"].as_array_mut().expect("it is an array now").extend(declared);
}

fn list_parameters(list: &ListSpec) -> Vec<Value> {
    let words: Vec<String> =
        list.orderings.iter().flat_map(|field| [(*field).to_owned(), format!("-{field}")]).collect();
    let mut parameters: Vec<Value> = list.filters.iter().map(filter_parameter).collect();
    parameters.push(csv("ordering", &json!({"type": "string", "enum": words}), "What to order by."));
    parameters.push(plain(
        "q",
        &json!({"type": "string"}),
        "Filters joined with NOT, AND, OR and parentheses.",
    ));
    parameters.push(plain(
        "limit",
        &json!({"type": "integer", "format": "int64"}),
        "How many entries to show.",
    ));
    parameters.push(plain(
        "offset",
        &json!({"type": "integer", "format": "int64"}),
        "How many entries to leave out first.",
    ));
    parameters
}

fn filter_parameter(filter: &FilterSpec) -> Value {
    let description = format!("Filters by {}.", filter.field);
    let text = json!({"type": "string"});
    let moment = json!({"type": "string", "format": "date-time"});
    let number = json!({"type": "integer", "format": "int64"});
    match filter.value {
        // Both `media_type=x` and several of them are sent by the `pulp` command.
        Meaning::Texts if !filter.name.ends_with("__in") => {
            let schema = json!({"anyOf": [text, {"type": "array", "items": text}]});
            let mut parameter = plain(&filter.name, &schema, &description);
            parameter["explode"] = false.into();
            parameter
        }
        Meaning::Texts
        | Meaning::Ids
        | Meaning::Hrefs(_)
        | Meaning::Resources
        | Meaning::Versions
        | Meaning::TwoVersions
        | Meaning::Contents => csv(&filter.name, &text, &description),
        Meaning::Choices(words) => csv(&filter.name, &json!({"type": "string", "enum": words}), &description),
        Meaning::IntRange => csv(&filter.name, &number, &description),
        Meaning::TimeRange => csv(&filter.name, &moment, &description),
        Meaning::Int | Meaning::Minutes => plain(&filter.name, &number, &description),
        Meaning::Bool => plain(&filter.name, &json!({"type": "boolean"}), &description),
        Meaning::Time => plain(&filter.name, &moment, &description),
        Meaning::Choice(words) => {
            plain(&filter.name, &json!({"type": "string", "enum": words}), &description)
        }
        Meaning::Text
        | Meaning::Href(_)
        | Meaning::Version
        | Meaning::Content
        | Meaning::Labels
        | Meaning::Resource => plain(&filter.name, &text, &description),
    }
}

fn plain(name: &str, schema: &Value, description: &str) -> Value {
    json!({"name": name, "in": "query", "required": false, "description": description, "schema": schema})
}

fn csv(name: &str, items: &Value, description: &str) -> Value {
    let mut parameter = plain(name, &json!({"type": "array", "items": items}), description);
    parameter["explode"] = false.into();
    parameter
}

/// Puts one `…_href` parameter in place of the path up to the object.
fn name_by_href(path: &str, item: &mut Value) -> String {
    let version = format!("{API_ROOT}{}{{repository}}/versions/{{number}}/", Kind::Repository.collection());
    let versions = format!("{API_ROOT}{}{{repository}}/", Kind::Repository.collection());
    let known = Kind::ALL
        .into_iter()
        .map(|kind| (format!("{API_ROOT}{}{{pulp_id}}/", kind.collection()), href_name(kind)));
    let repository = href_name(Kind::Repository);
    let candidates = [(version, "container_container_repository_version_href"), (versions, repository)];
    let Some((prefix, name)) =
        candidates.into_iter().chain(known).find(|(prefix, _)| path.starts_with(prefix))
    else {
        return path.to_owned();
    };
    for operation in METHODS
        .iter()
        .chain(&["delete"])
        .filter_map(|method| {
            item.as_object().and_then(|item| item.get_key_value(*method).map(|(method, _)| method.clone()))
        })
        .collect::<Vec<_>>()
    {
        let parameters = item[&operation]["parameters"].as_array().cloned().unwrap_or_default();
        let href = json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
        let rest = parameters.into_iter().filter(|parameter| parameter["in"] != "path");
        item[&operation]["parameters"] = std::iter::once(href).chain(rest).collect();
    }
    format!("{{{name}}}{}", &path[prefix.len()..])
}

const fn href_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Repository => "container_container_repository_href",
        Kind::Remote => "container_container_remote_href",
        Kind::Distribution => "container_container_distribution_href",
        Kind::Blob => "container_blob_href",
        Kind::Manifest => "container_manifest_href",
        Kind::Tag => "container_tag_href",
        Kind::Task => "task_href",
        Kind::Worker => "worker_href",
        Kind::TaskGroup => "task_group_href",
        Kind::User => "auth_user_href",
        Kind::TaskSchedule => "task_schedule_href",
        Kind::Artifact => "artifact_href",
        Kind::Upload => "upload_href",
    }
}
