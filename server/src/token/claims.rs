//! What a token says.

use registry::RepositoryName;
use serde::{Deserialize, Serialize};

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// Who issued it.
    pub(crate) iss: String,
    /// The user's name; empty for anybody.
    pub(crate) sub: String,
    /// The service that it is for.
    pub(crate) aud: String,
    /// When it ends, in seconds since 1970.
    pub(crate) exp: i64,
    /// When it begins.
    pub(crate) nbf: i64,
    /// When it was issued.
    pub(crate) iat: i64,
    /// Its own name.
    pub(crate) jti: String,
    /// What it allows.
    pub(crate) access: Vec<Access>,
}

/// What a token allows on one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Access {
    /// `repository` or `registry`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// A repository's name, or `catalog`.
    pub(crate) name: String,
    /// `pull`, `push`, `delete` or `*`.
    pub(crate) actions: Vec<String>,
}

impl Claims {
    /// Whether somebody who proved to be a user holds the token.
    pub(crate) fn is_of_user(&self) -> bool {
        !self.sub.is_empty()
    }

    /// Whether it allows `action` on the repository.
    pub(crate) fn allows(&self, name: &RepositoryName, action: &str) -> bool {
        self.allows_on("repository", name.as_str(), action)
    }

    /// Whether it allows to list everything.
    pub(crate) fn allows_catalog(&self) -> bool {
        self.allows_on("registry", "catalog", "*")
    }

    fn allows_on(&self, kind: &str, name: &str, action: &str) -> bool {
        self.access.iter().any(|access| {
            access.kind == kind
                && access.name == name
                && access.actions.iter().any(|granted| granted == action || granted == "*")
        })
    }
}
