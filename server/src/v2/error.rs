//! The one place where causes become OCI error bodies (OCI distribution-spec 1.1, "Error Codes").

use poem::Response;
use poem::http::{HeaderMap, HeaderValue, StatusCode, header};
use registry::{Digest, MAX_MANIFEST_BYTES, ManifestError, MediaType, NameError, Reference, RepositoryName};
use serde_json::json;
use storage::StorageError;
use thiserror::Error;

use crate::telemetry::CorrelationId;
use crate::token::TokenError;

/// How many missing parts of a manifest are named.
const MOST_DETAILS: usize = 100;

/// Why a registry request is not answered with what it asked for. The texts are what clients show.
#[derive(Debug, Error)]
pub(crate) enum V2Error {
    /// Who asks has to prove to be somebody who may.
    #[error("{reason}")]
    Unauthorized { challenge: Option<HeaderValue>, reason: &'static str },
    /// Content of a mirror comes from its upstream alone.
    #[error(
        "{0} is a mirror: its content comes from its upstream by syncing, so that it is not a push target"
    )]
    MirrorIsNoPushTarget(RepositoryName),
    /// What was pushed could not be pulled.
    #[error("{0} serves one version for good, so that it is not a push target")]
    FixedIsNoPushTarget(RepositoryName),
    /// Likewise for deletions.
    #[error(
        "{0} is a mirror: its content comes from its upstream by syncing, so that nothing can be deleted from it"
    )]
    MirrorKeepsAll(RepositoryName),
    /// What was deleted would still be pulled.
    #[error("{0} serves one version for good, so that nothing can be deleted from it")]
    FixedKeepsAll(RepositoryName),
    /// Something else has to be deleted first.
    #[error("{0}")]
    StillNeeded(String),
    /// No such session is open.
    #[error("there is no such upload: it was finished or canceled, or it has expired; begin another one")]
    UploadUnknown,
    /// Two requests of one session at once.
    #[error("another request is writing to this upload: wait for its end, then ask how much has arrived")]
    UploadBusy,
    /// The limit of sessions is reached.
    #[error("{most} uploads are open already: finish or cancel some, or try again later")]
    TooManyUploads { most: u64 },
    /// A chunk that does not follow what is there. The headers say what is.
    #[error("the chunk does not begin where the last one ended: the header Range says how much has arrived")]
    OutOfOrder { headers: Box<HeaderMap> },
    /// `Content-Range` cannot be read.
    #[error("the header Content-Range must read <first byte>-<last byte>")]
    BadContentRange,
    /// A chunk is not as long as it says.
    #[error("the body has {actual} bytes or more, but Content-Range says {stated}")]
    WrongLength { stated: u64, actual: u64 },
    /// Larger than may be pushed.
    #[error("the blob is larger than {limit_bytes} bytes, which is the limit")]
    BlobTooLarge { limit_bytes: u64 },
    /// An upload ends with the digest.
    #[error("the parameter digest is missing: say which digest the blob has")]
    DigestMissing,
    /// The bytes have another digest.
    #[error("the content has the digest {actual}, not {expected}")]
    WrongDigest { expected: Digest, actual: Digest },
    /// The connection broke.
    #[error("the body broke off")]
    BodyBroken,
    /// The client stopped sending.
    #[error("the body took too long")]
    BodyTooSlow,
    /// What a manifest is pushed under is malformed.
    #[error(transparent)]
    BadReference(NameError),
    /// `Content-Type` cannot be read.
    #[error("the header Content-Type must be a manifest's media type")]
    BadContentType,
    /// Larger than a manifest may be.
    #[error("the manifest is larger than {MAX_MANIFEST_BYTES} bytes, which is the limit")]
    ManifestTooLarge,
    /// The bytes are no manifest.
    #[error(transparent)]
    ManifestInvalid(#[from] ManifestError),
    /// Nobody makes these any more, and they name blobs of unknown sizes.
    #[error("manifests of Docker's schema 1 are not accepted: push the image by a current client")]
    Schema1,
    /// An index of indexes of indexes.
    #[error("the index is nested more than {limit} levels deep")]
    TooDeep { limit: usize },
    /// The manifest names a part with another size than it has.
    #[error("the manifest says that {digest} has {stated} bytes, but it has {actual}")]
    PartSize { digest: Digest, stated: u64, actual: u64 },
    /// The repository lacks parts of the manifest.
    #[error("{name} has not all that the manifest needs: push that first")]
    PartsMissing { name: RepositoryName, missing: Vec<Digest> },
    /// A part went while the manifest was pushed.
    #[error("{0}")]
    PartVanished(String),
    /// The task refused.
    #[error("{0}")]
    ChangeRefused(String),
    /// The task failed.
    #[error("the version could not be published: {0}")]
    ChangeFailed(String),
    /// Somebody canceled the task.
    #[error("the change was canceled before it was published")]
    ChangeCanceled,
    /// The task takes too long.
    #[error("the change was not published within {seconds} seconds; it will be once a worker gets to it")]
    ChangeUnfinished { seconds: u64 },
    /// No distribution has this name.
    #[error("no repository is served under the name {0}")]
    NameUnknown(RepositoryName),
    /// A name, tag or digest is not well-formed.
    #[error(transparent)]
    Malformed(#[from] NameError),
    /// A percent-encoded slash or backslash.
    #[error("a path must not hold percent-encoded slashes")]
    HiddenSlash,
    /// The version that is served holds no such manifest.
    #[error("{name} has no manifest {reference}")]
    ManifestUnknown { name: RepositoryName, reference: Reference },
    /// The client can't take the manifest as it is, and it is never rewritten.
    #[error(
        "the manifest has the media type {0}, which the request's Accept header rules out; \
         manifests are served as they were received"
    )]
    NotAcceptable(MediaType),
    /// The version that is served holds no such blob.
    #[error("{name} has no blob {digest}")]
    BlobUnknown { name: RepositoryName, digest: Digest },
    /// The range lies outside the blob.
    #[error("the range lies outside of the blob, which has {size_bytes} bytes")]
    RangeUnsatisfiable { size_bytes: u64 },
    /// `n` is no number.
    #[error("the parameter n must be a number from 0 up")]
    BadPageSize,
    /// Nothing is at this path.
    #[error("there is no such endpoint")]
    NoSuchEndpoint,
    /// The path is right, the method is not. Names those that are.
    #[error("the method is not allowed here; these are: {0}")]
    MethodNotAllowed(&'static str),
    /// A token for another service was asked for.
    #[error("tokens are issued here for the service \"{service}\" only")]
    WrongService { service: String },
    /// A token could not be signed.
    #[error("a token could not be signed")]
    Signing(#[source] TokenError),
    /// The catalog or the blob store failed.
    #[error("the store failed")]
    Storage(#[source] StorageError),
    /// What is pushed does not fit.
    #[error("no space is left in the store")]
    DiskFull(#[source] StorageError),
}

impl From<StorageError> for V2Error {
    fn from(error: StorageError) -> Self {
        if matches!(error, StorageError::DiskFull(_)) { Self::DiskFull(error) } else { Self::Storage(error) }
    }
}

impl V2Error {
    /// The code in the body.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized { .. } => "UNAUTHORIZED",
            Self::MirrorIsNoPushTarget(_) | Self::FixedIsNoPushTarget(_) | Self::ChangeRefused(_) => "DENIED",
            Self::MirrorKeepsAll(_)
            | Self::FixedKeepsAll(_)
            | Self::StillNeeded(_)
            | Self::NoSuchEndpoint
            | Self::MethodNotAllowed(_)
            | Self::WrongService { .. } => "UNSUPPORTED",
            Self::NameUnknown(_) => "NAME_UNKNOWN",
            Self::Malformed(NameError::Digest { .. })
            | Self::BadReference(NameError::Digest { .. })
            | Self::DigestMissing
            | Self::WrongDigest { .. } => "DIGEST_INVALID",
            Self::UploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::UploadBusy
            | Self::OutOfOrder { .. }
            | Self::BadContentRange
            | Self::BodyBroken
            | Self::BodyTooSlow => "BLOB_UPLOAD_INVALID",
            Self::WrongLength { .. } | Self::BlobTooLarge { .. } => "SIZE_INVALID",
            Self::TooManyUploads { .. } => "TOOMANYREQUESTS",
            Self::BadReference(_)
            | Self::BadContentType
            | Self::ManifestTooLarge
            | Self::ManifestInvalid(_)
            | Self::Schema1
            | Self::TooDeep { .. }
            | Self::PartSize { .. } => "MANIFEST_INVALID",
            Self::PartsMissing { .. } | Self::PartVanished(_) => "MANIFEST_BLOB_UNKNOWN",
            // Of the reference implementation, distribution.
            Self::ChangeCanceled | Self::ChangeUnfinished { .. } => "UNAVAILABLE",
            // OCI has no code for a malformed tag; its conformance suite wants 404.
            Self::Malformed(NameError::Tag(_)) | Self::ManifestUnknown { .. } | Self::NotAcceptable(_) => {
                "MANIFEST_UNKNOWN"
            }
            Self::Malformed(_) | Self::HiddenSlash => "NAME_INVALID",
            Self::BlobUnknown { .. } => "BLOB_UNKNOWN",
            // These two are of the reference implementation, distribution.
            Self::RangeUnsatisfiable { .. } => "RANGE_INVALID",
            Self::BadPageSize => "PAGINATION_NUMBER_INVALID",
            Self::ChangeFailed(_) | Self::Signing(_) | Self::Storage(_) | Self::DiskFull(_) => "UNKNOWN",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized { .. } => StatusCode::UNAUTHORIZED,
            Self::MirrorIsNoPushTarget(_) | Self::FixedIsNoPushTarget(_) | Self::ChangeRefused(_) => {
                StatusCode::FORBIDDEN
            }
            // "If deletes are disabled", and what the endpoints' table allows besides 404.
            Self::MirrorKeepsAll(_)
            | Self::FixedKeepsAll(_)
            | Self::StillNeeded(_)
            | Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::UploadBusy => StatusCode::CONFLICT,
            Self::TooManyUploads { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BlobTooLarge { .. } | Self::ManifestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ChangeCanceled | Self::ChangeUnfinished { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Malformed(NameError::Tag(_))
            | Self::NameUnknown(_)
            | Self::ManifestUnknown { .. }
            | Self::NotAcceptable(_)
            | Self::BlobUnknown { .. }
            | Self::UploadUnknown
            | Self::PartsMissing { .. }
            | Self::PartVanished(_)
            | Self::NoSuchEndpoint => StatusCode::NOT_FOUND,
            Self::HiddenSlash
            | Self::BadContentRange
            | Self::WrongLength { .. }
            | Self::DigestMissing
            | Self::WrongDigest { .. }
            | Self::BodyBroken
            | Self::BadReference(_)
            | Self::BadContentType
            | Self::ManifestInvalid(_)
            | Self::Schema1
            | Self::TooDeep { .. }
            | Self::PartSize { .. }
            | Self::Malformed(_)
            | Self::BadPageSize
            | Self::WrongService { .. } => StatusCode::BAD_REQUEST,
            Self::OutOfOrder { .. } | Self::RangeUnsatisfiable { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::DiskFull(_) => StatusCode::INSUFFICIENT_STORAGE,
            Self::ChangeFailed(_) | Self::Signing(_) | Self::Storage(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The answer. The cause of an internal error is logged here, and only here.
    pub(crate) fn into_response(self, id: &CorrelationId) -> Response {
        let status = self.status();
        let code = self.code();
        let is_internal = status == StatusCode::INTERNAL_SERVER_ERROR;
        if is_internal || status == StatusCode::INSUFFICIENT_STORAGE {
            tracing::error!(
                correlation_id = id.0,
                error = registry::chain(&self),
                "a registry request failed"
            );
        }
        let message =
            if is_internal { format!("internal error; request id {}", id.0) } else { self.to_string() };
        let errors = match &self {
            Self::PartsMissing { missing, .. } => (missing.iter().take(MOST_DETAILS))
                .map(|digest| json!({"code": code, "message": message, "detail": {"digest": digest}}))
                .collect(),
            _ => vec![json!({"code": code, "message": message})],
        };
        let body = json!({ "errors": errors }).to_string();
        let mut response = Response::builder().status(status).content_type("application/json").body(body);
        let headers = response.headers_mut();
        match self {
            Self::Unauthorized { challenge: Some(challenge), .. } => {
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            Self::MethodNotAllowed(allowed) => {
                headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
            Self::MirrorKeepsAll(_) | Self::FixedKeepsAll(_) | Self::StillNeeded(_) => {
                headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            Self::OutOfOrder { headers: progress } => headers.extend(*progress),
            Self::TooManyUploads { .. } | Self::ChangeCanceled | Self::ChangeUnfinished { .. } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
            }
            Self::RangeUnsatisfiable { size_bytes } => {
                if let Ok(value) = HeaderValue::try_from(format!("bytes */{size_bytes}")) {
                    headers.insert(header::CONTENT_RANGE, value);
                }
            }
            _ => {}
        }
        response
    }
}
