//! `GET /v2/<name>/tags/list` (OCI distribution-spec 1.1, "Listing Tags").

use poem::Response;
use poem::http::header;
use registry::{RepositoryName, Tag};
use serde::Serialize;

use super::V2Error;
use super::auth::Visit;
use super::page::Page;

#[derive(Serialize)]
struct Listing<'a> {
    name: &'a RepositoryName,
    tags: Vec<Tag>,
}

/// A page of the tags, in lexical order.
pub(super) async fn list(visit: &Visit<'_>, name: &RepositoryName) -> Result<Response, V2Error> {
    let served = visit.authorise_pull(name).await?;
    let page = Page::parse(visit.request)?;
    let catalog = &visit.state.catalog;
    let mut tags = catalog.list_served_tags(&served, page.after.as_deref(), page.lookup_limit()).await?;
    let next = page.cut(&mut tags, &format!("/v2/{name}/tags/list"));
    let body = serde_json::to_string(&Listing { name, tags }).expect("names and tags are JSON");
    let mut response = Response::builder().content_type("application/json").body(body);
    if let Some(next) = next {
        response.headers_mut().insert(header::LINK, next);
    }
    Ok(response)
}
