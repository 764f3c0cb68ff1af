//! From method and path to a typed route. Pure.

use poem::http::Method;
use registry::{Digest, Reference, RepositoryName};
use uuid::Uuid;

use super::V2Error;

/// What is asked for. Names and references are well-formed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `GET /v2/`: is this a registry, and am I logged in?
    Base,
    /// `GET /v2/_catalog`
    Catalog,
    /// `GET /v2/<name>/tags/list`
    ListTags(RepositoryName),
    /// `GET` or `HEAD /v2/<name>/manifests/<reference>`
    PullManifest(RepositoryName, Reference),
    /// `GET` or `HEAD /v2/<name>/blobs/<digest>`
    PullBlob(RepositoryName, Digest),
    /// `GET /v2/<name>/referrers/<digest>`
    ListReferrers(RepositoryName, Digest),
    /// `POST /v2/<name>/blobs/uploads/`
    StartUpload(RepositoryName),
    /// Any method of `/v2/<name>/blobs/uploads/<session>`; the session is absent if it is none of ours.
    Upload(RepositoryName, UploadStep, Option<Uuid>),
    /// `PUT /v2/<name>/manifests/<reference>`
    PushManifest(RepositoryName, Reference),
    /// `DELETE /v2/<name>/manifests/<reference>`
    DeleteManifest(RepositoryName, Reference),
    /// `DELETE /v2/<name>/blobs/<digest>`
    DeleteBlob(RepositoryName, Digest),
}

/// What is done to an upload session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UploadStep {
    /// `GET`: how much has arrived?
    Status,
    /// `PATCH`: more.
    Continue,
    /// `PUT`: that was all.
    Finish,
    /// `DELETE`: forget it.
    Cancel,
}

impl Route {
    /// Reads what follows `/v2/`, percent-decoded. Names contain slashes, so it is split from the right.
    pub(super) fn parse(method: &Method, tail: &str) -> Result<Self, V2Error> {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let read = |route| if reads { Ok(route) } else { Err(V2Error::MethodNotAllowed("GET, HEAD")) };
        match tail {
            "" => return read(Self::Base),
            "_catalog" => return read(Self::Catalog),
            _ => {}
        }
        if let Some(name) = tail.strip_suffix("/tags/list") {
            return read(Self::ListTags(name.parse()?));
        }
        if let Some(name) = tail.strip_suffix("/blobs/uploads").or(tail.strip_suffix("/blobs/uploads/")) {
            return match *method {
                Method::POST => Ok(Self::StartUpload(name.parse()?)),
                _ => Err(V2Error::MethodNotAllowed("POST")),
            };
        }
        let (front, last) = tail.rsplit_once('/').ok_or(V2Error::NoSuchEndpoint)?;
        if let Some(name) = front.strip_suffix("/manifests") {
            let name = name.parse()?;
            return match *method {
                Method::GET | Method::HEAD => Ok(Self::PullManifest(name, last.parse()?)),
                Method::PUT => Ok(Self::PushManifest(name, last.parse().map_err(V2Error::BadReference)?)),
                Method::DELETE => Ok(Self::DeleteManifest(name, last.parse()?)),
                _ => Err(V2Error::MethodNotAllowed("GET, HEAD, PUT, DELETE")),
            };
        }
        if let Some(name) = front.strip_suffix("/blobs/uploads") {
            let name = name.parse()?;
            let step = match *method {
                Method::GET | Method::HEAD => UploadStep::Status,
                Method::PATCH => UploadStep::Continue,
                Method::PUT => UploadStep::Finish,
                Method::DELETE => UploadStep::Cancel,
                _ => return Err(V2Error::MethodNotAllowed("GET, PATCH, PUT, DELETE")),
            };
            return Ok(Self::Upload(name, step, Uuid::try_parse(last).ok()));
        }
        if let Some(name) = front.strip_suffix("/blobs") {
            let name = name.parse()?;
            let digest = last.parse()?;
            return match *method {
                Method::GET | Method::HEAD => Ok(Self::PullBlob(name, digest)),
                Method::DELETE => Ok(Self::DeleteBlob(name, digest)),
                _ => Err(V2Error::MethodNotAllowed("GET, HEAD, DELETE")),
            };
        }
        if let Some(name) = front.strip_suffix("/referrers") {
            let name = name.parse()?;
            return read(Self::ListReferrers(name, last.parse()?));
        }
        Err(V2Error::NoSuchEndpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPLOAD: &str = "0189d7a0-5b1f-7000-8000-000000000000";

    fn parse(method: &Method, tail: &str) -> String {
        match Route::parse(method, tail) {
            Ok(Route::ListTags(name)) => format!("tags {name}"),
            Ok(Route::PullManifest(name, reference)) => format!("manifest {name} {reference}"),
            Ok(Route::PullBlob(name, digest)) => format!("blob {name} {digest}"),
            Ok(Route::ListReferrers(name, digest)) => format!("referrers {name} {digest}"),
            Ok(Route::StartUpload(name)) => format!("start {name}"),
            Ok(Route::Upload(name, step, id)) => format!("{step:?} {name} {}", id.is_some()),
            Ok(Route::PushManifest(name, reference)) => format!("push {name} {reference}"),
            Ok(Route::DeleteManifest(name, reference)) => format!("delete manifest {name} {reference}"),
            Ok(Route::DeleteBlob(name, digest)) => format!("delete blob {name} {digest}"),
            Ok(route) => format!("{route:?}"),
            Err(error) => error.code().to_owned(),
        }
    }

    #[test]
    fn routes_are_split_from_the_right() {
        let digest = Digest::sha256_of(b"x");
        let cases = [
            (Method::GET, String::new(), "Base".to_owned()),
            (Method::GET, "_catalog".into(), "Catalog".into()),
            (Method::GET, "a/tags/list".into(), "tags a".into()),
            (Method::GET, "a/b/c/tags/list".into(), "tags a/b/c".into()),
            (Method::GET, "tags/tags/list".into(), "tags tags".into()),
            (Method::GET, "a/tags/list/tags/list".into(), "tags a/tags/list".into()),
            (Method::GET, "a/manifests/latest".into(), "manifest a latest".into()),
            (Method::HEAD, "a/b/manifests/1.0".into(), "manifest a/b 1.0".into()),
            (Method::GET, format!("a/manifests/{digest}"), format!("manifest a {digest}")),
            (Method::GET, "manifests/manifests/manifests".into(), "manifest manifests manifests".into()),
            (Method::GET, "a/manifests/b/manifests/c".into(), "manifest a/manifests/b c".into()),
            (Method::GET, format!("a/blobs/{digest}"), format!("blob a {digest}")),
            (
                Method::GET,
                format!("a/blobs/uploads/blobs/{digest}"),
                format!("blob a/blobs/uploads {digest}"),
            ),
            (Method::GET, format!("a/referrers/{digest}"), format!("referrers a {digest}")),
            (Method::POST, "a/blobs/uploads/".into(), "start a".into()),
            (Method::POST, "a/b/blobs/uploads".into(), "start a/b".into()),
            (Method::PATCH, format!("a/blobs/uploads/{UPLOAD}"), "Continue a true".into()),
            (Method::PUT, format!("a/blobs/uploads/{UPLOAD}"), "Finish a true".into()),
            (Method::GET, format!("a/blobs/uploads/{UPLOAD}"), "Status a true".into()),
            (Method::DELETE, format!("a/blobs/uploads/{UPLOAD}"), "Cancel a true".into()),
            (Method::PATCH, "a/blobs/uploads/0189".into(), "Continue a false".into()),
            (Method::PATCH, "a/blobs/uploads/..".into(), "Continue a false".into()),
            (Method::PUT, "a/manifests/latest".into(), "push a latest".into()),
            (Method::PUT, format!("a/manifests/{digest}"), format!("push a {digest}")),
            (Method::DELETE, "a/manifests/latest".into(), "delete manifest a latest".into()),
            (Method::DELETE, format!("a/blobs/{digest}"), format!("delete blob a {digest}")),
        ];
        for (method, tail, expected) in cases {
            assert_eq!(parse(&method, &tail), expected, "{method} {tail}");
        }
    }

    #[test]
    fn hostile_tails_are_refused() {
        let digest = Digest::sha256_of(b"x");
        let long = "a/".repeat(2048);
        let cases = [
            ("x".to_owned(), "UNSUPPORTED"),
            ("/".into(), "UNSUPPORTED"),
            ("..".into(), "UNSUPPORTED"),
            ("../etc/passwd".into(), "UNSUPPORTED"),
            ("_catalog/".into(), "UNSUPPORTED"),
            ("a/tags/list/".into(), "UNSUPPORTED"),
            ("tags/list".into(), "UNSUPPORTED"),
            ("manifests/latest".into(), "UNSUPPORTED"),
            ("/tags/list".into(), "NAME_INVALID"),
            ("/manifests/latest".into(), "NAME_INVALID"),
            ("a//tags/list".into(), "NAME_INVALID"),
            ("a//b/manifests/x".into(), "NAME_INVALID"),
            ("../a/manifests/x".into(), "NAME_INVALID"),
            ("a/../b/manifests/x".into(), "NAME_INVALID"),
            ("a/./b/tags/list".into(), "NAME_INVALID"),
            ("A/tags/list".into(), "NAME_INVALID"),
            ("library/Alpine/manifests/x".into(), "NAME_INVALID"),
            ("a\0/tags/list".into(), "NAME_INVALID"),
            ("a\\b/tags/list".into(), "NAME_INVALID"),
            ("a%2fb/tags/list".into(), "NAME_INVALID"),
            ("é/tags/list".into(), "NAME_INVALID"),
            (format!("{long}b/tags/list"), "NAME_INVALID"),
            (format!("{}/manifests/x", "a".repeat(4096)), "NAME_INVALID"),
            ("a/manifests/".into(), "MANIFEST_UNKNOWN"),
            ("a/manifests/.x".into(), "MANIFEST_UNKNOWN"),
            ("a/manifests/..".into(), "MANIFEST_UNKNOWN"),
            (format!("a/manifests/{}", "t".repeat(129)), "MANIFEST_UNKNOWN"),
            ("a/manifests/sha256:x".into(), "DIGEST_INVALID"),
            (format!("a/manifests/{digest}{digest}"), "DIGEST_INVALID"),
            (format!("a/manifests/{digest}@{digest}"), "DIGEST_INVALID"),
            ("a/blobs/".into(), "DIGEST_INVALID"),
            ("a/blobs/x".into(), "DIGEST_INVALID"),
            ("a/blobs/..".into(), "DIGEST_INVALID"),
            ("a/blobs/md5:d41d8cd98f00b204e9800998ecf8427e".into(), "DIGEST_INVALID"),
            (format!("a/blobs/{}", digest.as_str().to_uppercase()), "DIGEST_INVALID"),
            (format!("a/blobs/{digest}/"), "UNSUPPORTED"),
            (format!("a/blobs/{digest}/{digest}"), "UNSUPPORTED"),
            (format!("blobs/{digest}"), "UNSUPPORTED"),
            ("a/referrers/x".into(), "DIGEST_INVALID"),
            ("a/blobs/uploads/".into(), "UNSUPPORTED"),
        ];
        for (tail, expected) in cases {
            let shown: String = tail.chars().take(60).collect();
            assert_eq!(parse(&Method::GET, &tail), expected, "{shown}");
        }
    }

    #[test]
    fn methods_without_a_meaning_are_refused() {
        for (method, tail) in [
            (Method::POST, ""),
            (Method::PUT, "_catalog"),
            (Method::DELETE, "a/tags/list"),
            (Method::POST, "a/manifests/latest"),
            (Method::POST, "a/blobs/uploads/0189"),
            (Method::DELETE, "a/blobs/uploads/"),
        ] {
            let error = Route::parse(&method, tail).unwrap_err();
            assert!(matches!(error, V2Error::MethodNotAllowed(_)), "{method} {tail}");
        }
    }
}
