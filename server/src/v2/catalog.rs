//! `GET /v2/_catalog`: the names that are served, as the reference implementation lists them.

use poem::Response;
use poem::http::header;
use registry::RepositoryName;
use serde::Serialize;

use super::V2Error;
use super::auth::Visit;
use super::page::Page;

#[derive(Serialize)]
struct Listing {
    repositories: Vec<RepositoryName>,
}

/// A page of the names, in lexical order; private ones for administrators only.
pub(super) async fn list(visit: &Visit<'_>) -> Result<Response, V2Error> {
    let caller = visit.authorise_catalog().await?;
    let page = Page::parse(visit.request)?;
    let private = caller.sees_private_names();
    let catalog = &visit.state.catalog;
    let mut names = catalog.list_served_names(page.after.as_deref(), page.lookup_limit(), private).await?;
    let next = page.cut(&mut names, "/v2/_catalog");
    let body = serde_json::to_string(&Listing { repositories: names }).expect("names are JSON");
    let mut response = Response::builder().content_type("application/json").body(body);
    if let Some(next) = next {
        response.headers_mut().insert(header::LINK, next);
    }
    Ok(response)
}
