//! Pages of tags and names (OCI distribution-spec 1.1, "Listing Tags"): `n`, `last`, and the `Link` header.

use poem::Request;
use poem::http::HeaderValue;

use super::V2Error;

/// As many entries a page has at most, and without `n`.
const MAX_ENTRIES: usize = 1000;

/// What part of a list is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// At most so many entries.
    pub(super) entries: usize,
    /// Only what comes after this one.
    pub(super) after: Option<String>,
}

impl Page {
    pub(super) fn parse(request: &Request) -> Result<Self, V2Error> {
        let mut page = Self { entries: MAX_ENTRIES, after: None };
        for (key, value) in url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
        {
            match key.as_ref() {
                "n" => {
                    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
                        return Err(V2Error::BadPageSize);
                    }
                    page.entries = value.parse().unwrap_or(MAX_ENTRIES).min(MAX_ENTRIES);
                }
                "last" => {
                    // No name holds a NUL, which PostgreSQL refuses: the same names come after what stands before it.
                    let last = value.split('\0').next().unwrap_or_default();
                    page.after = (!last.is_empty()).then(|| last.to_owned());
                }
                _ => {}
            }
        }
        Ok(page)
    }

    /// How many entries to look up: one more than fit tells whether a page follows.
    pub(super) fn lookup_limit(&self) -> usize {
        self.entries + 1
    }

    /// Cuts `found` to the page, and names the next one if there is one.
    pub(super) fn cut<T: ToString>(&self, found: &mut Vec<T>, path: &str) -> Option<HeaderValue> {
        let more = found.len() > self.entries;
        found.truncate(self.entries);
        let last = found.last().filter(|_| more)?.to_string();
        let last: String = url::form_urlencoded::byte_serialize(last.as_bytes()).collect();
        HeaderValue::try_from(format!("<{path}?n={}&last={last}>; rel=\"next\"", self.entries)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Page, V2Error> {
        Page::parse(&Request::builder().uri_str(format!("http://x/v2/a/tags/list?{query}")).finish())
    }

    #[test]
    fn the_query_is_read() {
        for (query, entries, after) in [
            ("", 1000, None),
            ("n=0", 0, None),
            ("n=5&last=a%2Fb", 5, Some("a/b")),
            ("n=1000000", 1000, None),
            ("n=99999999999999999999999", 1000, None),
            ("last=", 1000, None),
            ("last=%00", 1000, None),
            ("last=a%00b", 1000, Some("a")),
            ("other=1", 1000, None),
        ] {
            let page = parse(query).unwrap();
            assert_eq!((page.entries, page.after.as_deref()), (entries, after), "{query}");
        }
        for bad in ["n=", "n=-1", "n=x", "n=1.5", "n=+1"] {
            assert!(matches!(parse(bad), Err(V2Error::BadPageSize)), "{bad}");
        }
    }

    #[test]
    fn a_link_leads_on_only_if_there_is_more() {
        let page = parse("n=2").unwrap();
        let mut found = vec!["a", "b/c", "d"];
        assert_eq!(
            page.cut(&mut found, "/v2/_catalog").unwrap(),
            "</v2/_catalog?n=2&last=b%2Fc>; rel=\"next\""
        );
        assert_eq!(found, ["a", "b/c"]);
        assert_eq!(page.cut(&mut found, "/v2/_catalog"), None);
        let none = parse("n=0").unwrap();
        assert_eq!(none.cut(&mut vec!["a"], "/v2/_catalog"), None);
    }
}
