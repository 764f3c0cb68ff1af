//! Pages for people. This one is at `/`: what this is, and how to pull from it.

pub(crate) mod tasks;

use poem::http::header;
use poem::{Request, Response};

use crate::AppState;
use crate::origin::Origin;

/// The page. The host in it is validated, so that it needs no escapes.
pub(crate) fn index(state: &AppState, request: &Request) -> Response {
    let host = Origin::of(state, request).host;
    let page = format!(
        "<!DOCTYPE html>\n\
         <html lang=\"en\"><head><meta charset=\"utf-8\"><title>Entrepot</title></head>\n\
         <body><h1>Entrepot</h1>\n\
         <p>A registry that mirrors and hosts container images.</p>\n\
         <pre>podman pull {host}/NAME:TAG</pre>\n\
         <p><a href=\"/v2/_catalog\">What it serves</a>, its \
         <a href=\"/pulp/api/v3/status/\">status</a>, its <a href=\"/ui/tasks/\">tasks</a>, and the \
         <a href=\"/pulp/api/v3/docs/\">management API</a> \
         (<a href=\"/pulp/api/v3/docs/api.json\">OpenAPI</a>).</p>\n\
         </body></html>\n"
    );
    Response::builder()
        .content_type("text/html; charset=utf-8")
        .header(header::CONTENT_SECURITY_POLICY, "default-src 'none'")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(page)
}
