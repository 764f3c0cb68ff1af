//! Under which scheme and host the client knows this server.
//!
//! The answer goes into challenges and token audiences, so nothing unvalidated may come out of here.

use std::borrow::Cow;

use poem::http::header;
use poem::{FromRequest, Request, RequestBody};

use crate::{AppState, ServerError};

/// The scheme and host of the setting `public_url`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicOrigin {
    scheme: &'static str,
    host: String,
}

impl PublicOrigin {
    /// Reads `http[s]://host[:port][/]`. A path is refused: registry clients put `/v2/` right after the host.
    pub(crate) fn parse(text: &str) -> Result<Self, ServerError> {
        let refuse = |reason| ServerError::PublicUrl { url: text.to_owned(), reason };
        let (scheme, rest) = if let Some(rest) = text.strip_prefix("https://") {
            ("https", rest)
        } else if let Some(rest) = text.strip_prefix("http://") {
            ("http", rest)
        } else {
            return Err(refuse("must begin with http:// or https://"));
        };
        let host = rest.strip_suffix('/').unwrap_or(rest);
        if !is_host(host) {
            return Err(refuse("must be a host with an optional port after the scheme, without a path"));
        }
        Ok(Self { scheme, host: host.to_owned() })
    }
}

/// What clients put before a name when they pull: host and port.
pub(crate) struct PullHost(pub(crate) String);

impl<'a> FromRequest<'a> for PullHost {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let state = request.data::<AppState>().expect("the state is set where the routes are built");
        Ok(Self(Origin::of(state, request).host.into_owned()))
    }
}

/// The scheme and host for one request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Origin<'a> {
    pub(crate) scheme: &'static str,
    /// Host and port; also the name of the token service.
    pub(crate) host: Cow<'a, str>,
}

impl<'a> Origin<'a> {
    /// From the setting, or else from the request, or else `localhost`.
    pub(crate) fn of(state: &'a AppState, request: &'a Request) -> Self {
        if let Some(origin) = &state.public_origin {
            return Self { scheme: origin.scheme, host: Cow::Borrowed(&origin.host) };
        }
        Self { scheme: scheme_of(request), host: Cow::Borrowed(host_of(request).unwrap_or("localhost")) }
    }

    /// Where tokens are issued.
    pub(crate) fn token_realm(&self) -> String {
        format!("{}/token/", self.base())
    }

    /// `scheme://host[:port]`
    pub(crate) fn base(&self) -> String {
        format!("{}://{}", self.scheme, self.host)
    }
}

/// The listener speaks plain HTTP; a proxy that terminates TLS says so.
fn scheme_of(request: &Request) -> &'static str {
    match request.header("x-forwarded-proto") {
        Some(scheme) if scheme.eq_ignore_ascii_case("https") => "https",
        _ => "http",
    }
}

fn host_of(request: &Request) -> Option<&str> {
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    host.or_else(|| request.original_uri().authority().map(poem::http::uri::Authority::as_str))
        .filter(|host| is_host(host))
}

/// Only what can stand in a quoted string and in a URL without escapes.
fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_scheme_and_host() {
        let origin = PublicOrigin::parse("https://registry.example:8443/").unwrap();
        assert_eq!(origin, PublicOrigin { scheme: "https", host: "registry.example:8443".into() });
        assert!(PublicOrigin::parse("http://[::1]:5000").is_ok());
        for bad in
            ["", "registry.example", "ftp://x", "https://", "https://x/y", "https://u@x", "https://x?y"]
        {
            assert!(PublicOrigin::parse(bad).is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn hosts_that_could_break_a_header_are_ignored() {
        for bad in ["a\"b", "a/b", "a b", "a\\b", "", &"a".repeat(256)] {
            let request = Request::builder().header("host", bad).finish();
            assert_eq!(host_of(&request), None, "{bad}");
        }
        let request = Request::builder().header("host", "localhost:24817").finish();
        assert_eq!(host_of(&request), Some("localhost:24817"));
        assert_eq!(scheme_of(&request), "http");
        let request = Request::builder().header("x-forwarded-proto", "HTTPS").finish();
        assert_eq!(scheme_of(&request), "https");
    }
}
