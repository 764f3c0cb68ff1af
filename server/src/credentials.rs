//! The `Authorization` header, parsed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use poem::http::{HeaderMap, header};

/// What a client proves itself with.
#[derive(PartialEq, Eq)]
pub(crate) enum Credentials<'a> {
    /// RFC 7617.
    Basic {
        /// The user's name.
        username: String,
        /// The password.
        password: String,
    },
    /// RFC 6750.
    Bearer(&'a str),
    /// A scheme that is unknown, or something malformed.
    Unusable,
}

impl<'a> Credentials<'a> {
    /// `None` without the header.
    pub(crate) fn find(headers: &'a HeaderMap) -> Option<Self> {
        let value = headers.get(header::AUTHORIZATION)?;
        let Some((scheme, rest)) = value.to_str().ok().and_then(|text| text.split_once(' ')) else {
            return Some(Self::Unusable);
        };
        let rest = rest.trim();
        Some(if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
            Self::Bearer(rest)
        } else if scheme.eq_ignore_ascii_case("basic") {
            parse_basic(rest).unwrap_or(Self::Unusable)
        } else {
            Self::Unusable
        })
    }
}

fn parse_basic<'a>(encoded: &str) -> Option<Credentials<'a>> {
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    Some(Credentials::Basic { username: username.to_owned(), password: password.to_owned() })
}

/// Secrets stay out of logs.
impl std::fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic",
            Self::Bearer(_) => "Bearer",
            Self::Unusable => "Unusable",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        Credentials::find(&headers).map(|found| match found {
            Credentials::Basic { username, password } => format!("{username}|{password}"),
            Credentials::Bearer(token) => format!("bearer {token}"),
            Credentials::Unusable => "unusable".to_owned(),
        })
    }

    #[test]
    fn credentials_are_read() {
        assert_eq!(Credentials::find(&HeaderMap::new()), None);
        assert_eq!(find("Basic YWRtaW46czpl").unwrap(), "admin|s:e");
        assert_eq!(find("basic YWRtaW46czpl").unwrap(), "admin|s:e");
        assert_eq!(find("Bearer abc").unwrap(), "bearer abc");
        for bad in ["Basic", "Basic ???", "Basic YWRtaW4=", "Bearer ", "Negotiate x", "x"] {
            assert_eq!(find(bad).unwrap(), "unusable", "{bad}");
        }
    }
}
