//! The document itself, in both forms, and a page to read it.

use std::sync::Arc;

use openapi::document::{Form, finish};
use poem::endpoint::make_sync;
use poem::{Endpoint, IntoEndpoint, Request, Response};
use poem_openapi::{OpenApi, OpenApiService};

/// The finished documents.
#[derive(Clone)]
pub(crate) struct Documents(Arc<Texts>);

struct Texts {
    ids: String,
    hrefs: String,
    page: String,
}

impl Documents {
    pub(crate) fn of<T: OpenApi>(service: &OpenApiService<T, ()>) -> Self {
        let written = service.spec();
        let ids = finish(&written, Form::Ids).to_string();
        let hrefs = finish(&written, Form::Hrefs).to_string();
        // The page has the document inside; a closing tag in it would end the script.
        let page = service.swagger_ui_html().replace(&written, &ids.replace("</", "<\\/"));
        Self(Arc::new(Texts { ids, hrefs, page }))
    }
}

/// `GET /docs/api.json`: with `?pk_path=1` the form that generators like, else the one that `pulp` reads. Public.
pub(crate) fn json(
    documents: Documents,
) -> impl IntoEndpoint<Endpoint = impl Endpoint<Output = Response> + 'static> {
    poem::get(make_sync(move |request: Request| {
        let query = request.uri().query().unwrap_or_default();
        let with_ids = url::form_urlencoded::parse(query.as_bytes())
            .any(|(key, value)| key == "pk_path" && value != "0");
        let text = if with_ids { &documents.0.ids } else { &documents.0.hrefs };
        Response::builder().content_type("application/json").body(text.clone())
    }))
}

/// `GET /docs/`: the document for people. Public.
pub(crate) fn page(
    documents: Documents,
) -> impl IntoEndpoint<Endpoint = impl Endpoint<Output = Response> + 'static> {
    poem::get(make_sync(move |_: Request| {
        Response::builder().content_type("text/html; charset=utf-8").body(documents.0.page.clone())
    }))
}

/// The document with `{pulp_id}` paths, indented: what is committed.
#[cfg(test)]
pub(crate) fn committed_form() -> String {
    let mut text =
        serde_json::to_string_pretty(&finish(&super::service().spec(), Form::Ids)).expect("it is JSON");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn the_committed_document_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/openapi.json");
        let current = committed_form();
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(path, &current).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == current,
            "openapi/openapi.json is stale: run UPDATE_OPENAPI=1 cargo test -p server"
        );
    }

    #[test]
    fn the_pulp_command_finds_its_operations() {
        let document = finish(&super::super::service().spec(), Form::Hrefs);
        let mut found: Vec<(String, String)> = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            assert!(path.starts_with("/pulp/api/v3/") || path.starts_with('{'), "{path}");
            for (method, operation) in item.as_object().unwrap() {
                let id = operation["operationId"]
                    .as_str()
                    .unwrap_or_else(|| panic!("{method} {path} has no operationId"));
                found.push((id.to_owned(), path.clone()));
                for response in operation["responses"].as_object().unwrap().values() {
                    assert!(response["description"].is_string());
                    for kind in response["content"].as_object().into_iter().flat_map(|content| content.keys())
                    {
                        let expected = if id == "tasks_events" && kind != "application/json" {
                            "text/event-stream"
                        } else {
                            "application/json"
                        };
                        assert_eq!(kind, expected, "{id}");
                    }
                }
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    assert!(
                        parameter["in"] != "path" || parameter["required"] == Value::Bool(true),
                        "{id}: {parameter}"
                    );
                }
                if id.ends_with("_list") {
                    for needed in ["limit", "offset", "fields", "exclude_fields", "ordering"] {
                        let declared =
                            operation["parameters"].as_array().unwrap().iter().any(|p| p["name"] == needed);
                        assert!(declared, "{id} does not declare {needed}");
                    }
                }
            }
        }
        let path_of = |wanted: &str| {
            let hit = found.iter().find(|(id, _)| id == wanted);
            hit.unwrap_or_else(|| panic!("{wanted} is missing")).1.as_str()
        };
        assert_eq!(
            path_of("repositories_container_container_sync"),
            "{container_container_repository_href}sync/"
        );
        assert_eq!(
            path_of("repositories_container_container_versions_list"),
            "{container_container_repository_href}versions/"
        );
        assert_eq!(
            path_of("repositories_container_container_versions_read"),
            "{container_container_repository_version_href}"
        );
        assert_eq!(path_of("tasks_cancel"), "{task_href}");
        assert_eq!(path_of("status_read"), "/pulp/api/v3/status/");
        assert_eq!(document["info"]["x-pulp-app-versions"]["container"], "2.30.0");
    }
}
