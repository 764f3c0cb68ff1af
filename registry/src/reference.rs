//! References: what follows the last `:` or `@`, and whole image references as people type them.

use std::fmt;
use std::str::FromStr;

use crate::{Digest, NameError, RepositoryName, Tag};

/// Names one manifest in a repository: by tag or by digest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reference {
    /// By a tag, which may move.
    Tag(Tag),
    /// By its digest, which never changes.
    Digest(Digest),
}

impl FromStr for Reference {
    type Err = NameError;

    /// A colon can only be part of a digest, so it decides which of the two is meant.
    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.contains(':') { text.parse().map(Self::Digest) } else { text.parse().map(Self::Tag) }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

/// A whole image reference: `[scheme://][host[:port]/]repository[:tag][@digest]`, with Docker's rules for what is
/// left out (host `docker.io`, and `library/` before a single component there).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReference {
    /// Where the registry API is found, with scheme and without a path: `https://registry-1.docker.io`.
    pub registry_url: String,
    /// The host as it was typed or implied: `docker.io`, `localhost:5000`.
    pub host: String,
    /// The repository in that registry.
    pub repository: RepositoryName,
    /// The tag, when one was given.
    pub tag: Option<Tag>,
    /// The digest, when one was given.
    pub digest: Option<Digest>,
}

const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_URL: &str = "https://registry-1.docker.io";

impl FromStr for ImageReference {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let refuse = |reason: String| NameError::Reference { reference: text.to_owned(), reason };
        if text.is_empty() {
            return Err(refuse("it is empty".to_owned()));
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => (Some(scheme), rest),
            Some(("docker", rest)) => (None, rest),
            Some((scheme, _)) => {
                return Err(refuse(format!("the scheme {scheme} is not http, https or docker")));
            }
            None => (None, text),
        };
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => {
                (rest, Some(digest.parse().map_err(|e: NameError| refuse(e.to_string()))?))
            }
            None => (rest, None),
        };
        // The first component is a host if nothing else could be meant by it.
        let (host, path) = match rest.split_once('/') {
            Some((first, path)) if scheme.is_some() || is_host(first) => (first, path),
            _ if scheme.is_some() => return Err(refuse("a repository must follow the host".to_owned())),
            _ => (DOCKER_HUB, rest),
        };
        let (path, tag) = match path.rsplit_once(':') {
            Some((path, tag)) => (path, Some(tag.parse().map_err(|e: NameError| refuse(e.to_string()))?)),
            None => (path, None),
        };
        let is_hollow = !host.starts_with('[') && host.split([':', '.']).any(str::is_empty);
        if is_hollow
            || url::Url::parse(&format!("https://{host}/")).is_err()
            || host.contains(['?', '#', '\\'])
        {
            return Err(refuse(format!("\"{host}\" is not a host with an optional port")));
        }
        let is_hub = matches!(host, DOCKER_HUB | "index.docker.io" | "registry-1.docker.io");
        let path = if is_hub && !path.contains('/') { format!("library/{path}") } else { path.to_owned() };
        let repository = path.parse().map_err(|e: NameError| refuse(e.to_string()))?;
        let registry_url = match scheme {
            Some(scheme) => format!("{scheme}://{host}"),
            None if is_hub => DOCKER_HUB_URL.to_owned(),
            None if is_loopback(host) => format!("http://{host}"),
            None => format!("https://{host}"),
        };
        Ok(Self { registry_url, host: host.to_owned(), repository, tag, digest })
    }
}

fn is_host(first: &str) -> bool {
    first.contains('.') || first.contains(':') || first == "localhost"
}

/// Registries on this machine speak plain HTTP, as docker assumes too.
fn is_loopback(host: &str) -> bool {
    let name = if host.starts_with('[') {
        host.split(']').next().unwrap_or(host).trim_start_matches('[')
    } else {
        host.split(':').next().unwrap_or(host)
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, String, Option<String>) {
        let parsed: ImageReference = text.parse().unwrap();
        (parsed.registry_url, parsed.repository.to_string(), parsed.tag.map(String::from))
    }

    #[test]
    fn docker_rules_fill_what_is_left_out() {
        let hub = DOCKER_HUB_URL.to_owned();
        for (text, expected) in [
            ("alpine", (hub.clone(), "library/alpine", None)),
            ("alpine:3.20", (hub.clone(), "library/alpine", Some("3.20"))),
            ("docker.io/library/alpine", (hub.clone(), "library/alpine", None)),
            ("docker.io/alpine", (hub.clone(), "library/alpine", None)),
            ("grafana/grafana:11", (hub, "grafana/grafana", Some("11"))),
            ("quay.io/a/b/c:x", ("https://quay.io".into(), "a/b/c", Some("x"))),
            ("localhost:5000/x", ("http://localhost:5000".into(), "x", None)),
            ("127.0.0.1:5000/x/y:z", ("http://127.0.0.1:5000".into(), "x/y", Some("z"))),
            ("[::1]:5000/x", ("http://[::1]:5000".into(), "x", None)),
            ("http://mirror.example/x", ("http://mirror.example".into(), "x", None)),
            ("https://localhost:5000/x", ("https://localhost:5000".into(), "x", None)),
            ("docker://quay.io/x/y", ("https://quay.io".into(), "x/y", None)),
        ] {
            let (url, repository, tag) = expected;
            assert_eq!(parts(text), (url, repository.to_owned(), tag.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn digests_are_read_beside_tags() {
        let digest = Digest::sha256_of(b"x");
        let parsed: ImageReference = format!("quay.io/a/b:t@{digest}").parse().unwrap();
        assert_eq!(parsed.tag.unwrap().as_str(), "t");
        assert_eq!(parsed.digest, Some(digest));
    }

    #[test]
    fn bad_references_are_refused() {
        for bad in [
            "",
            "A",
            "quay.io/",
            "quay.io/A",
            "a:b:c/d",
            "../x",
            ".x/y",
            "x..y/z",
            "ftp://x/y",
            "http://x",
            "x@sha256:0",
            "quay.io/../x",
            "a:",
        ] {
            assert!(bad.parse::<ImageReference>().is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn a_colon_means_a_digest() {
        assert!(matches!("latest".parse(), Ok(Reference::Tag(_))));
        assert!(matches!(Digest::sha256_of(b"").as_str().parse(), Ok(Reference::Digest(_))));
        assert!("sha256:xyz".parse::<Reference>().is_err());
    }
}
