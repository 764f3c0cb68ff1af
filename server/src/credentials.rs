//! The `Authorization` header, parsed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use poem::http::{HeaderMap, StatusCode, header};
use poem::{Request, Response};

use crate::AppState;

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

/// Whether whoever asks for a page of operators may have it.
pub(crate) enum Admission {
    /// An administrator.
    Admitted,
    /// Anybody else: this is the answer.
    Refused(Response),
}

/// Asks for an administrator's Basic credentials.
pub(crate) async fn admit(state: &AppState, request: &Request) -> Admission {
    let challenge = || {
        let answer = Response::builder().status(StatusCode::UNAUTHORIZED).content_type("text/plain");
        let challenge = "Basic realm=\"entrepot\", charset=\"UTF-8\"";
        Admission::Refused(
            answer.header(header::WWW_AUTHENTICATE, challenge).body("Log in as an administrator.\n"),
        )
    };
    let refuse = |status: StatusCode, text: &'static str| {
        Admission::Refused(Response::builder().status(status).content_type("text/plain").body(text))
    };
    let Some(Credentials::Basic { username, password }) = Credentials::find(request.headers()) else {
        return challenge();
    };
    match state.catalog.verify_password(&username, &password).await {
        Ok(Some(user)) if user.is_admin => Admission::Admitted,
        Ok(Some(_)) => refuse(StatusCode::FORBIDDEN, "Only administrators may see this.\n"),
        Ok(None) => challenge(),
        Err(error) => {
            tracing::warn!(error = registry::chain(&error), "a password could not be verified");
            refuse(StatusCode::SERVICE_UNAVAILABLE, "The database cannot be reached.\n")
        }
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
