//! Conditional requests and caching: digests are the best entity tags there are (RFC 9110, section 13).

use poem::http::{HeaderMap, HeaderValue, header};
use registry::Digest;

/// The digest as a strong entity tag.
pub(super) fn entity_tag(digest: &Digest) -> HeaderValue {
    let text = digest.as_str();
    let mut tag = String::with_capacity(text.len() + 2);
    tag.push('"');
    tag.push_str(text);
    tag.push('"');
    HeaderValue::try_from(tag).expect("a digest is ASCII")
}

/// The digest as a header's value.
pub(super) fn digest_value(digest: &Digest) -> HeaderValue {
    HeaderValue::from_str(digest.as_str()).expect("a digest is ASCII")
}

/// Whether `If-None-Match` says that the client has it already.
pub(super) fn is_known(headers: &HeaderMap, digest: &Digest) -> bool {
    (headers.get_all(header::IF_NONE_MATCH).iter())
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || unquoted(tag.strip_prefix("W/").unwrap_or(tag)) == Some(digest.as_str()))
}

/// Whether `If-Range` lets a range be answered: absent, or exactly this entity tag.
pub(super) fn range_applies(headers: &HeaderMap, digest: &Digest) -> bool {
    headers
        .get(header::IF_RANGE)
        .is_none_or(|value| value.to_str().ok().and_then(unquoted) == Some(digest.as_str()))
}

fn unquoted(tag: &str) -> Option<&str> {
    tag.strip_prefix('"')?.strip_suffix('"')
}

/// How long an answer may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// It was asked for by digest.
    Forever,
    /// A tag may move at any time: ask again.
    Revalidate,
}

/// The `Cache-Control` header. What is private may be kept by its client only.
pub(super) fn cache_control(lifetime: Lifetime, private: bool) -> HeaderValue {
    HeaderValue::from_static(match (lifetime, private) {
        (Lifetime::Forever, false) => "public, max-age=31536000, immutable",
        (Lifetime::Forever, true) => "private, max-age=31536000, immutable",
        (Lifetime::Revalidate, false) => "no-cache",
        (Lifetime::Revalidate, true) => "private, no-cache",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_are_compared() {
        let digest = Digest::sha256_of(b"x");
        let tag = entity_tag(&digest);
        let tag = tag.to_str().unwrap();
        let weak = format!("W/{tag}");
        let listed = format!("\"a\", {tag}");
        for (value, known, range) in [
            (tag, true, true),
            (&weak, true, false),
            (&listed, true, false),
            ("*", true, false),
            ("\"a\"", false, false),
            (digest.as_str(), false, false),
            ("Wed, 21 Oct 2015 07:28:00 GMT", false, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, value.parse().unwrap());
            headers.insert(header::IF_RANGE, value.parse().unwrap());
            assert_eq!(
                (is_known(&headers, &digest), range_applies(&headers, &digest)),
                (known, range),
                "{value}"
            );
        }
        assert!(!is_known(&HeaderMap::new(), &digest));
        assert!(range_applies(&HeaderMap::new(), &digest));
    }
}
