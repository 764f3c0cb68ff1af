//! `GET /v2/<name>/referrers/<digest>` (OCI distribution-spec 1.1, "Listing Referrers").

use std::collections::BTreeMap;

use poem::Response;
use poem::http::{HeaderName, HeaderValue, header};
use registry::{Descriptor, Digest, MAX_MANIFEST_BYTES, MediaType, RepositoryName};
use serde::Serialize;
use storage::{Referrer, Served};

use super::V2Error;
use super::auth::Visit;

const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");
/// Clients take no larger index: the rest is on further pages.
const MAX_PAGE_BYTES: usize = MAX_MANIFEST_BYTES - 1024;
/// How many are read at a time: each may have megabytes of annotations.
const BATCH: u64 = 32;

#[derive(Default)]
struct Wanted {
    artifact_type: Option<String>,
    after: Option<Digest>,
}

impl Wanted {
    fn parse(visit: &Visit<'_>) -> Result<Self, V2Error> {
        let mut wanted = Self::default();
        let query = visit.request.uri().query().unwrap_or_default();
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match key.as_ref() {
                // No type holds a NUL, which PostgreSQL refuses.
                "artifactType" if !value.is_empty() => {
                    wanted.artifact_type = Some(value.replace('\0', "\u{fffd}").to_ascii_lowercase());
                }
                "last" if !value.is_empty() => wanted.after = Some(value.parse()?),
                _ => {}
            }
        }
        Ok(wanted)
    }
}

/// A page of the manifests that refer to `subject`, as an index; an empty one for a digest that nothing refers to.
pub(super) async fn list(
    visit: &Visit<'_>,
    name: &RepositoryName,
    subject: &Digest,
) -> Result<Response, V2Error> {
    let served = visit.authorise_pull(name).await?;
    let wanted = Wanted::parse(visit)?;
    let (mut page, mut more) = collect(visit, &served, subject, &wanted).await?;
    if page.is_empty()
        && wanted.after.is_none()
        && let Some(newer) = visit.find_newer(&served).await?
    {
        (page, more) = collect(visit, &newer, subject, &wanted).await?;
    }
    let next = page.last().filter(|_| more).map(|last| next_page(name, subject, &wanted, &last.digest));
    let body = index_of(&page);
    let mut response = Response::builder().content_type(MediaType::OCI_INDEX).body(body);
    let headers = response.headers_mut();
    if wanted.artifact_type.is_some() {
        headers.insert(FILTERS_APPLIED, HeaderValue::from_static("artifactType"));
    }
    if let Some(next) = next.and_then(|next| HeaderValue::try_from(next).ok()) {
        headers.insert(header::LINK, next);
    }
    Ok(response)
}

/// As many as fit into a page, and whether more follow.
async fn collect(
    visit: &Visit<'_>,
    served: &Served,
    subject: &Digest,
    wanted: &Wanted,
) -> Result<(Vec<Descriptor>, bool), V2Error> {
    let (mut page, mut page_bytes) = (Vec::new(), 0);
    let mut after = wanted.after.clone();
    loop {
        let artifact_type = wanted.artifact_type.as_deref();
        let catalog = &visit.state.catalog;
        let found = catalog.list_referrers(served, subject, artifact_type, after.as_ref(), BATCH).await?;
        let is_last = (found.len() as u64) < BATCH;
        for referrer in found {
            let mut descriptor = descriptor_of(referrer);
            let mut size_bytes = size_of(&descriptor);
            if size_bytes > MAX_PAGE_BYTES {
                // It would fit into no page. The manifest itself has them.
                descriptor.annotations.clear();
                size_bytes = size_of(&descriptor);
            }
            if page_bytes + size_bytes > MAX_PAGE_BYTES {
                return Ok((page, true));
            }
            page_bytes += size_bytes;
            after = Some(descriptor.digest.clone());
            page.push(descriptor);
        }
        if is_last {
            return Ok((page, false));
        }
    }
}

fn descriptor_of(referrer: Referrer) -> Descriptor {
    Descriptor {
        media_type: referrer.media_type,
        digest: referrer.digest,
        size: referrer.size_bytes,
        urls: Vec::new(),
        annotations: referrer.annotations,
        platform: None,
        artifact_type: referrer.artifact_type,
    }
}

fn size_of(descriptor: &Descriptor) -> usize {
    serde_json::to_vec(descriptor).map_or(usize::MAX, |bytes| bytes.len() + 1)
}

fn index_of(manifests: &[Descriptor]) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Index<'a> {
        schema_version: u8,
        media_type: &'static str,
        manifests: &'a [Descriptor],
    }
    let index = Index { schema_version: 2, media_type: MediaType::OCI_INDEX, manifests };
    serde_json::to_string(&index).expect("descriptors are JSON")
}

fn next_page(name: &RepositoryName, subject: &Digest, wanted: &Wanted, last: &Digest) -> String {
    let mut parameters: BTreeMap<&str, &str> = BTreeMap::from([("last", last.as_str())]);
    parameters.extend(wanted.artifact_type.as_deref().map(|artifact_type| ("artifactType", artifact_type)));
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("</v2/{name}/referrers/{subject}?{query}>; rel=\"next\"")
}
