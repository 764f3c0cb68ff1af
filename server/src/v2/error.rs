//! The one place where causes become OCI error bodies (OCI distribution-spec 1.1, "Error Codes").

use poem::Response;
use poem::http::{HeaderValue, StatusCode, header};
use registry::{Digest, MediaType, NameError, Reference, RepositoryName};
use storage::StorageError;
use thiserror::Error;

use crate::telemetry::CorrelationId;
use crate::token::TokenError;

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
    /// Pushing is not there yet.
    #[error("this registry does not accept pushes to {0}: it serves what it mirrored")]
    PushUnsupported(RepositoryName),
    /// No distribution has this name.
    #[error("no repository is served under the name {0}")]
    NameUnknown(RepositoryName),
    /// A name, tag or digest is not well-formed.
    #[error(transparent)]
    Malformed(#[from] NameError),
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
    /// Referrers are not listed.
    #[error("this registry does not list referrers: use the referrers tag schema")]
    NoReferrers,
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
    Storage(#[from] StorageError),
}

impl V2Error {
    /// The code in the body.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized { .. } => "UNAUTHORIZED",
            Self::MirrorIsNoPushTarget(_) => "DENIED",
            Self::PushUnsupported(_)
            | Self::NoReferrers
            | Self::NoSuchEndpoint
            | Self::MethodNotAllowed(_)
            | Self::WrongService { .. } => "UNSUPPORTED",
            Self::NameUnknown(_) => "NAME_UNKNOWN",
            Self::Malformed(NameError::Digest { .. }) => "DIGEST_INVALID",
            // OCI has no code for a malformed tag; its conformance suite wants 404.
            Self::Malformed(NameError::Tag(_)) | Self::ManifestUnknown { .. } | Self::NotAcceptable(_) => {
                "MANIFEST_UNKNOWN"
            }
            Self::Malformed(_) => "NAME_INVALID",
            Self::BlobUnknown { .. } => "BLOB_UNKNOWN",
            // These two are of the reference implementation, distribution.
            Self::RangeUnsatisfiable { .. } => "RANGE_INVALID",
            Self::BadPageSize => "PAGINATION_NUMBER_INVALID",
            Self::Signing(_) | Self::Storage(_) => "UNKNOWN",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized { .. } => StatusCode::UNAUTHORIZED,
            Self::MirrorIsNoPushTarget(_) => StatusCode::FORBIDDEN,
            Self::PushUnsupported(_) | Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Malformed(NameError::Tag(_))
            | Self::NameUnknown(_)
            | Self::ManifestUnknown { .. }
            | Self::NotAcceptable(_)
            | Self::BlobUnknown { .. }
            | Self::NoReferrers
            | Self::NoSuchEndpoint => StatusCode::NOT_FOUND,
            Self::Malformed(_) | Self::BadPageSize | Self::WrongService { .. } => StatusCode::BAD_REQUEST,
            Self::RangeUnsatisfiable { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Signing(_) | Self::Storage(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The answer. The cause of an internal error is logged here, and only here.
    pub(crate) fn into_response(self, id: &CorrelationId) -> Response {
        let status = self.status();
        let code = self.code();
        let message = if status.is_server_error() {
            tracing::error!(
                correlation_id = id.0,
                error = registry::chain(&self),
                "a registry request failed"
            );
            format!("internal error; request id {}", id.0)
        } else {
            self.to_string()
        };
        let body = serde_json::json!({ "errors": [{ "code": code, "message": message }] }).to_string();
        let mut response = Response::builder().status(status).content_type("application/json").body(body);
        let headers = response.headers_mut();
        match self {
            Self::Unauthorized { challenge: Some(challenge), .. } => {
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            Self::MethodNotAllowed(allowed) => {
                headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
            Self::PushUnsupported(_) => {
                headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
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
