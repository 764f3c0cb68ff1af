//! URLs that may be shown: in errors, in logs.

use std::fmt;

use url::Url;

/// Query parameters that registries use and that hold no secret: paging, and what a token is for.
const HARMLESS: [&str; 4] = ["n", "last", "service", "scope"];

/// A URL without userinfo and fragment, and without any query parameter that could be a signature or a
/// token. On another origin than the registry's, where signed URLs live, the whole query is left out.
#[derive(Clone, PartialEq, Eq)]
pub struct SafeUrl(Box<str>);

impl SafeUrl {
    /// What may be shown of `url` when `home` is the registry's.
    pub(crate) fn of(url: &Url, home: &Url) -> Self {
        let mut shown = url.clone();
        // Both fail only for URLs that cannot have userinfo.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        shown.set_fragment(None);
        shown.set_query(None);
        if url.origin() == home.origin() && url.query().is_some() {
            let kept: Vec<_> =
                url.query_pairs().filter(|(name, _)| HARMLESS.contains(&name.as_ref())).collect();
            if !kept.is_empty() {
                shown.query_pairs_mut().extend_pairs(kept);
            }
        }
        Self(String::from(shown).into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out() {
        let home: Url = "https://reg.example/".parse().unwrap();
        for (url, shown) in [
            (
                "https://u:p@reg.example/v2/a/tags/list?n=5&last=x&sig=S#f",
                "https://reg.example/v2/a/tags/list?n=5&last=x",
            ),
            ("https://reg.example/v2/?token=S", "https://reg.example/v2/"),
            ("https://reg.example:444/v2/?n=5&X-Amz-Signature=S", "https://reg.example:444/v2/"),
            ("https://cdn.example/b?n=S", "https://cdn.example/b"),
        ] {
            assert_eq!(SafeUrl::of(&url.parse().unwrap(), &home).as_str(), shown);
        }
    }
}
