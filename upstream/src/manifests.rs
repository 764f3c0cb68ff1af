//! Reading manifests (OCI distribution-spec 1.1, "Pulling manifests").

use bytes::Bytes;
use registry::{Digest, MAX_MANIFEST_BYTES, MediaType, Reference};
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};

use crate::exchange::Answer;
use crate::schema1::signed_payload;
use crate::{Client, SafeUrl, UpstreamError};

const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// What the registry says of a manifest without sending it. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestHead {
    /// `Docker-Content-Digest`.
    pub digest: Option<Digest>,
    /// `Content-Type`.
    pub media_type: Option<MediaType>,
    /// `Content-Length`.
    pub size_bytes: Option<u64>,
}

/// A manifest as it was received, its digest verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedManifest {
    /// Computed from the bytes; of a signed schema 1 manifest, as its specification says, from what is signed.
    pub digest: Digest,
    /// `Content-Type`; `application/octet-stream` where there was none that could be read.
    pub media_type: MediaType,
    /// The bytes as received.
    pub bytes: Bytes,
}

impl Client {
    /// Asks what a tag or digest is. `None` if there is no such manifest.
    pub async fn head_manifest(&self, reference: &Reference) -> Result<Option<ManifestHead>, UpstreamError> {
        let _permit = self.permit().await;
        self.retrying(|| self.fetch_head(reference)).await
    }

    /// Reads a manifest and verifies its digest. [`UpstreamError::NotFound`] if there is none.
    pub async fn get_manifest(&self, reference: &Reference) -> Result<FetchedManifest, UpstreamError> {
        let _permit = self.permit().await;
        self.retrying(|| self.fetch_manifest(reference)).await
    }

    async fn fetch_head(&self, reference: &Reference) -> Result<Option<ManifestHead>, UpstreamError> {
        let answer = self.ask(Method::HEAD, reference).await?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            _ => return Err(self.0.refusal(answer).await),
        }
        answer.check_encoding()?;
        let size_bytes = answer.content_length()?;
        Ok(Some(ManifestHead {
            digest: announced_digest(&answer)?,
            media_type: content_type(&answer)?,
            size_bytes,
        }))
    }

    async fn fetch_manifest(&self, reference: &Reference) -> Result<FetchedManifest, UpstreamError> {
        let answer = self.ask(Method::GET, reference).await?;
        if answer.status() != StatusCode::OK {
            return Err(self.0.refusal(answer).await);
        }
        answer.check_encoding()?;
        let announced = announced_digest(&answer)?;
        let media_type = content_type(&answer)?.unwrap_or_else(unknown_type);
        let url = answer.url.clone();
        let bytes = answer.read_all(MAX_MANIFEST_BYTES).await?;
        let asked = match reference {
            Reference::Digest(digest) => Some(digest),
            Reference::Tag(_) => None,
        };
        let digest = verify(&url, &bytes, &media_type, asked, announced.as_ref())?;
        Ok(FetchedManifest { digest, media_type, bytes })
    }

    async fn ask(&self, method: Method, reference: &Reference) -> Result<Answer, UpstreamError> {
        let url = self.0.url_of(&format!("manifests/{reference}"));
        // Registries convert to what is accepted: every known type comes first, anything else is welcome too.
        let accept = format!("{}, */*;q=0.1", MediaType::MANIFESTS.join(", "));
        let accept = HeaderValue::try_from(accept).ok();
        self.0.fetch(self.0.request(method, url, accept)).await
    }
}

fn unknown_type() -> MediaType {
    "application/octet-stream".parse().expect("it is a media type")
}

/// A `Content-Type` that is no media type tells nothing; the document itself may.
fn content_type(answer: &Answer) -> Result<Option<MediaType>, UpstreamError> {
    Ok(answer.header(&CONTENT_TYPE)?.and_then(|text| text.parse().ok()))
}

fn announced_digest(answer: &Answer) -> Result<Option<Digest>, UpstreamError> {
    let text = answer.header(&DOCKER_CONTENT_DIGEST)?.map(str::trim).filter(|text| !text.is_empty());
    let digest = text.map(str::parse).transpose();
    digest.map_err(|error: registry::NameError| answer.bad(format!("Docker-Content-Digest: {error}")))
}

/// The digest of the bytes, which must be the one asked for and the one announced.
fn verify(
    url: &SafeUrl,
    bytes: &[u8],
    media_type: &MediaType,
    asked: Option<&Digest>,
    announced: Option<&Digest>,
) -> Result<Digest, UpstreamError> {
    let is_signed = media_type.as_str() == MediaType::DOCKER_SCHEMA1_SIGNED;
    let payload = is_signed.then(|| signed_payload(bytes)).flatten();
    let content = payload.as_deref().unwrap_or(bytes);
    for expected in asked.into_iter().chain(announced) {
        let actual = Digest::of(expected.algorithm(), content);
        if actual != *expected {
            return Err(UpstreamError::DigestMismatch {
                url: url.clone(),
                expected: Box::new(expected.clone()),
                actual: Box::new(actual),
            });
        }
    }
    Ok(asked.cloned().unwrap_or_else(|| Digest::sha256_of(content)))
}
