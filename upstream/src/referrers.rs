//! Listing referrers (OCI distribution-spec 1.1, "Listing Referrers").

use std::collections::HashSet;

use registry::{Digest, MediaType};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use url::Url;

use crate::limits::TAGS_PAGE_BYTES;
use crate::{Client, UpstreamError, links};

/// More than this is no honest list of signatures and attestations of one image.
const MOST: usize = 10_000;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    manifests: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    digest: String,
}

/// The digests of a page and the URL of the next, or that the registry has no such lists.
enum Listed {
    Page(Vec<Digest>, Option<Url>),
    Unsupported,
}

impl Client {
    /// The digests of all manifests that refer to `subject`; `None` when the registry has no such lists, so that one
    /// may look for the tag of [`referrers_tag`].
    pub async fn list_referrers(&self, subject: &Digest) -> Result<Option<Vec<Digest>>, UpstreamError> {
        let _permit = self.permit().await;
        let mut url = self.0.url_of(&format!("referrers/{subject}"));
        let (mut found, mut asked) = (Vec::new(), HashSet::new());
        loop {
            let (page, next) = match self.retrying(|| self.fetch_referrers(&url)).await? {
                Listed::Page(page, next) => (page, next),
                Listed::Unsupported => return Ok(None),
            };
            found.extend(page);
            let too_many = |limit, unit| UpstreamError::TooLarge { url: self.0.shown(&url), limit, unit };
            if found.len() > MOST {
                return Err(too_many(MOST, "referrers"));
            }
            let Some(next) = next else { return Ok(Some(found)) };
            asked.insert(url.clone());
            if asked.contains(&next) {
                let reason = "pages of referrers that link to each other in a circle".to_owned();
                return Err(UpstreamError::BadAnswer { url: self.0.shown(&url), reason });
            }
            if asked.len() >= self.0.limits.tag_pages {
                return Err(too_many(self.0.limits.tag_pages, "pages of referrers"));
            }
            url = next;
        }
    }

    async fn fetch_referrers(&self, url: &Url) -> Result<Listed, UpstreamError> {
        let accept = Some(HeaderValue::from_static(MediaType::OCI_INDEX));
        let answer = self.0.fetch(self.0.request(Method::GET, url.clone(), accept)).await?;
        match answer.status() {
            StatusCode::OK => {}
            // "404 … MUST fall back"; registries from before the list give some others too.
            StatusCode::BAD_REQUEST
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::NOT_ACCEPTABLE
            | StatusCode::GONE
            | StatusCode::NOT_IMPLEMENTED => return Ok(Listed::Unsupported),
            _ => return Err(self.0.refusal(answer).await),
        }
        answer.check_encoding()?;
        let media_type = answer.header(&CONTENT_TYPE)?.and_then(|text| text.parse::<MediaType>().ok());
        if media_type.is_none_or(|media_type| media_type.as_str() != MediaType::OCI_INDEX) {
            // A page for people, most likely.
            return Ok(Listed::Unsupported);
        }
        let next = match links::find_next(answer.response.headers()) {
            None => None,
            Some(target) => {
                let next = answer.response.url().join(&target);
                let next = next.map_err(|_| answer.bad("a Link to a malformed URL"))?;
                if next.origin() != self.0.config.url.origin() {
                    return Err(answer.bad("a Link to a page of referrers on another host"));
                }
                Some(next)
            }
        };
        let shown = answer.url.clone();
        let bytes = answer.read_all(TAGS_PAGE_BYTES).await?;
        let page: Page = serde_json::from_slice(&bytes)
            .map_err(|source| UpstreamError::Json { url: shown.clone(), source })?;
        let entries = page.manifests.unwrap_or_default();
        let mut digests = Vec::with_capacity(entries.len());
        for entry in entries {
            let digest = entry.digest.parse::<Digest>();
            digests.push(digest.map_err(|error| UpstreamError::BadAnswer {
                url: shown.clone(),
                reason: format!("a list of referrers that cannot be read: {error}"),
            })?);
        }
        Ok(Listed::Page(digests, next))
    }
}

/// The tag under which registries without lists keep the index of a manifest's referrers ("Referrers Tag Schema").
///
/// # Panics
///
/// Never: a digest's letters and digits, with a dash in between, make a tag.
pub fn referrers_tag(subject: &Digest) -> registry::Tag {
    let (algorithm, hex) = (subject.algorithm().as_str(), subject.hex());
    let text = format!("{algorithm}-{}", &hex[..hex.len().min(64)]);
    text.parse().expect("a digest's letters, digits and a dash make a tag")
}

#[cfg(test)]
mod tests {
    use super::*;
    use registry::Algorithm;

    #[test]
    fn the_tag_is_short_enough() {
        let digest = Digest::sha256_of(b"x");
        assert_eq!(referrers_tag(&digest).as_str(), format!("sha256-{}", digest.hex()));
        let long = Digest::of(Algorithm::Sha512, b"x");
        assert_eq!(referrers_tag(&long).as_str(), format!("sha512-{}", &long.hex()[..64]));
    }
}
