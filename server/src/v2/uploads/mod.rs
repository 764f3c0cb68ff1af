//! Uploads of blobs (OCI distribution-spec 1.1, "Pushing Blobs").
//!
//! What has arrived is a file that all servers share, and its length is the truth: a session goes on after a restart,
//! and at any server.

mod content_range;
mod mount;
mod receive;

use poem::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use poem::{Body, Response};
use registry::{Digest, RepositoryName, Timestamp};
use storage::UploadSession;
use uuid::Uuid;

use super::auth::Visit;
use super::incoming::Incoming;
use super::push_target::{self, Target};
use super::route::UploadStep;
use super::validators::digest_value;
use super::{CONTENT_DIGEST, V2Error};
use crate::AppState;

const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
const CHUNK_MIN_LENGTH: HeaderName = HeaderName::from_static("oci-chunk-min-length");
/// What chunks should have at least, so that a large blob does not take a million requests. Smaller ones are taken too.
const CHUNK_MIN_BYTES: u64 = 64 * 1024;

/// What a `POST` asks for besides a session.
#[derive(Default)]
struct Wishes {
    digest: Option<String>,
    mount: Option<String>,
    from: Option<String>,
}

impl Wishes {
    fn of(visit: &Visit<'_>) -> Self {
        let mut wishes = Self::default();
        let query = visit.request.uri().query().unwrap_or_default();
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match key.as_ref() {
                "digest" => wishes.digest = Some(value.into_owned()),
                "mount" => wishes.mount = Some(value.into_owned()),
                "from" => wishes.from = Some(value.into_owned()),
                _ => {}
            }
        }
        wishes
    }
}

/// `POST`: a blob at once, one that another repository has, or a session.
pub(super) async fn start(visit: &Visit<'_>, name: &RepositoryName, body: Body) -> Result<Response, V2Error> {
    let target = push_target::for_push(visit, name).await?;
    let wishes = Wishes::of(visit);
    if let Some(wanted) = wishes.mount {
        let digest = wanted.parse()?;
        if mount::mount(visit, &target, wishes.from.as_deref(), &digest).await? {
            return Ok(created(name, &digest));
        }
    } else if let Some(digest) = wishes.digest {
        let digest = digest.parse()?;
        let incoming = Incoming::new(body, visit.state.config.stall_timeout);
        receive::at_once(visit, target.repository, &digest, incoming).await?;
        return Ok(created(name, &digest));
    }
    let most = visit.state.config.max_uploads;
    let tx = visit.state.catalog.begin().await?;
    let id = tx.create_upload(target.repository, most, expired(visit.state, tx.now())).await?;
    let id = id.ok_or(V2Error::TooManyUploads { most })?;
    tx.commit().await?;
    let mut response = progress(StatusCode::ACCEPTED, name, id, 0);
    response.headers_mut().insert(CHUNK_MIN_LENGTH, CHUNK_MIN_BYTES.into());
    Ok(response)
}

/// What is done to a session that has begun.
pub(super) async fn step(
    visit: &Visit<'_>,
    name: &RepositoryName,
    step: UploadStep,
    id: Option<Uuid>,
    body: Body,
) -> Result<Response, V2Error> {
    let target = push_target::for_upload(visit, name).await?;
    let session = find(visit, &target, id).await?;
    let incoming = Incoming::new(body, visit.state.config.stall_timeout);
    match step {
        UploadStep::Status => {
            let size_bytes = visit.state.blobs.upload_size(session.id).await?;
            Ok(progress(StatusCode::NO_CONTENT, name, session.id, size_bytes))
        }
        UploadStep::Continue => {
            let size_bytes = receive::more(visit, name, session, incoming).await?;
            Ok(progress(StatusCode::ACCEPTED, name, session.id, size_bytes))
        }
        UploadStep::Finish => {
            let digest = Wishes::of(visit).digest.ok_or(V2Error::DigestMissing)?.parse()?;
            receive::rest(visit, name, session, &digest, incoming).await?;
            Ok(created(name, &digest))
        }
        UploadStep::Cancel => {
            let tx = visit.state.catalog.begin().await?;
            if !tx.delete_upload(session.id).await? {
                return Err(V2Error::UploadUnknown);
            }
            tx.commit().await?;
            visit.state.blobs.remove_upload(session.id).await?;
            Ok(Response::builder().status(StatusCode::NO_CONTENT).finish())
        }
    }
}

/// The session, if it is one of this repository.
async fn find(visit: &Visit<'_>, target: &Target, id: Option<Uuid>) -> Result<UploadSession, V2Error> {
    let id = id.ok_or(V2Error::UploadUnknown)?;
    let catalog = &visit.state.catalog;
    let found = catalog.find_upload(id, expired(visit.state, catalog.now())).await?;
    found.filter(|session| session.repository == target.repository).ok_or(V2Error::UploadUnknown)
}

/// Sessions that were last used before are over.
fn expired(state: &AppState, now: Timestamp) -> Timestamp {
    let seconds = i64::try_from(state.config.upload_expiry.as_secs()).unwrap_or(i64::MAX);
    now.plus_seconds(-seconds)
}

/// Where a session goes on, and how much of the blob has arrived.
fn progress(status: StatusCode, name: &RepositoryName, id: Uuid, size_bytes: u64) -> Response {
    let mut response = Response::builder().status(status).finish();
    say_progress(response.headers_mut(), name, id, size_bytes);
    response
}

/// `Range` has no form for "nothing yet": like everybody, we say `0-0`.
pub(super) fn say_progress(headers: &mut HeaderMap, name: &RepositoryName, id: Uuid, size_bytes: u64) {
    let location = format!("/v2/{name}/blobs/uploads/{id}");
    let range = format!("0-{}", size_bytes.saturating_sub(1));
    for (header, text) in
        [(header::LOCATION, location), (header::RANGE, range), (UPLOAD_UUID, id.to_string())]
    {
        headers.insert(header, HeaderValue::try_from(text).expect("names and numbers are ASCII"));
    }
}

/// The blob is there.
fn created(name: &RepositoryName, digest: &Digest) -> Response {
    let mut response = Response::builder().status(StatusCode::CREATED).finish();
    let headers = response.headers_mut();
    let location = format!("/v2/{name}/blobs/{digest}");
    headers.insert(header::LOCATION, HeaderValue::try_from(location).expect("names and digests are ASCII"));
    headers.insert(CONTENT_DIGEST, digest_value(digest));
    response
}
