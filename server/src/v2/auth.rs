//! Who asks, and what they may: always decided on the parsed name, never on the path.
//!
//! Whether a private name exists is not told to anybody who may not pull it: both answers are one challenge.

use std::sync::Arc;

use poem::http::{HeaderValue, StatusCode};
use poem::{Request, Response};
use registry::RepositoryName;
use storage::{Served, StorageError, User};
use uuid::Uuid;

use super::V2Error;
use crate::AppState;
use crate::credentials::Credentials;
use crate::origin::Origin;
use crate::token::Claims;

/// Who asks.
#[derive(Debug)]
pub(super) enum Caller {
    /// Nobody said who.
    Anonymous,
    /// The bearer of a good token.
    Bearer(Arc<Claims>),
    /// A user who proved it by password.
    User(User),
}

impl Caller {
    /// Whether the caller may do this to a repository that is not public, or is not there.
    pub(super) fn may(&self, name: &RepositoryName, action: &str) -> bool {
        match self {
            Self::Anonymous => false,
            Self::Bearer(claims) => claims.is_of_user() && claims.allows(name, action),
            Self::User(user) => user.is_admin,
        }
    }

    /// The user, in whose name a task runs.
    pub(super) async fn user_id(&self, state: &AppState) -> Result<Option<Uuid>, StorageError> {
        match self {
            Self::Anonymous => Ok(None),
            Self::Bearer(claims) => state.catalog.find_user_id(&claims.sub).await,
            Self::User(user) => Ok(Some(user.id)),
        }
    }

    /// Whether the caller sees private names in the catalog.
    pub(super) fn sees_private_names(&self) -> bool {
        match self {
            Self::Anonymous => false,
            Self::Bearer(claims) => claims.is_of_user() && claims.allows_catalog(),
            Self::User(user) => user.is_admin,
        }
    }
}

/// One request to the registry.
pub(super) struct Visit<'a> {
    pub(super) state: &'a AppState,
    pub(super) request: &'a Request,
}

impl<'a> Visit<'a> {
    pub(super) fn new(state: &'a AppState, request: &'a Request) -> Self {
        Self { state, request }
    }

    /// Whether only the head is asked for.
    pub(super) fn wants_head(&self) -> bool {
        self.request.method() == poem::http::Method::HEAD
    }

    /// `GET /v2/`: clients look here for the challenge, and `docker login` whether its credentials are good.
    pub(super) async fn base(&self) -> Result<Response, V2Error> {
        if let Caller::Anonymous = self.identify(None).await? {
            return Err(self.unauthorized(None, None, "authentication required"));
        }
        let ok = Response::builder().status(StatusCode::OK).content_type("application/json");
        Ok(ok.body(if self.wants_head() { "" } else { "{}" }))
    }

    /// What the name serves, if the caller may pull it. Public names ask for nothing, but credentials that
    /// are sent have to be good.
    pub(super) async fn authorise_pull(&self, name: &RepositoryName) -> Result<Arc<Served>, V2Error> {
        let scope = || format!("repository:{name}:pull");
        let caller = self.identify(Some(&scope)).await?;
        let known = match self.state.catalog.find_served(name).await? {
            Some(known) => Some(known),
            // It may have been made a moment ago, in another process.
            None => self.state.catalog.find_served_now(name).await?,
        };
        match known {
            Some(served) if !served.private || caller.may(name, "pull") => Ok(served),
            None if caller.may(name, "pull") => Err(V2Error::NameUnknown(name.clone())),
            _ => Err(self.not_enough(&caller, &scope())),
        }
    }

    /// What the name serves by now, if that is another version than `served`: what is missing there may have been
    /// pushed a moment ago, in another process.
    pub(super) async fn find_newer(&self, served: &Served) -> Result<Option<Arc<Served>>, V2Error> {
        let now = self.state.catalog.find_served_now(&served.base_path).await?;
        let is_alike = |now: &Arc<Served>| {
            (now.distribution, now.private, now.repository)
                == (served.distribution, served.private, served.repository)
        };
        Ok(now.filter(|now| is_alike(now) && now.version != served.version))
    }

    /// Whether the caller may change what is under the name; the name need not be there.
    pub(super) async fn authorise_change(
        &self,
        name: &RepositoryName,
        actions: &[&str],
    ) -> Result<Caller, V2Error> {
        let scope = || format!("repository:{name}:{}", actions.join(","));
        let caller = self.identify(Some(&scope)).await?;
        if actions.iter().all(|action| caller.may(name, action)) {
            Ok(caller)
        } else {
            Err(self.not_enough(&caller, &scope()))
        }
    }

    /// Who may list names: anybody, unless the settings say otherwise.
    pub(super) async fn authorise_catalog(&self) -> Result<Caller, V2Error> {
        let scope = || "registry:catalog:*".to_owned();
        let caller = self.identify(Some(&scope)).await?;
        if self.state.config.anonymous_catalog || caller.sees_private_names() {
            Ok(caller)
        } else {
            Err(self.not_enough(&caller, &scope()))
        }
    }

    async fn identify(&self, scope: Option<&(dyn Fn() -> String + Sync)>) -> Result<Caller, V2Error> {
        let wrong = |error, reason| self.unauthorized(scope.map(|scope| scope()).as_deref(), error, reason);
        match Credentials::find(self.request.headers()) {
            None => Ok(Caller::Anonymous),
            Some(Credentials::Bearer(token)) if self.state.config.token_auth => {
                let service = Origin::of(self.state, self.request).host;
                match self.state.tokens.verify(token, &service) {
                    Ok(claims) => Ok(Caller::Bearer(claims)),
                    Err(error) => {
                        tracing::debug!(%error, "a token was refused");
                        Err(wrong(Some("invalid_token"), "the token is invalid or has expired"))
                    }
                }
            }
            Some(Credentials::Basic { username, password }) => {
                let user = self.state.catalog.verify_password(&username, &password).await?;
                user.map(Caller::User).ok_or_else(|| wrong(None, "the user name or the password is wrong"))
            }
            Some(_) => Err(wrong(None, "the Authorization header cannot be used here")),
        }
    }

    fn not_enough(&self, caller: &Caller, scope: &str) -> V2Error {
        match caller {
            Caller::Anonymous => self.unauthorized(Some(scope), None, "authentication required"),
            _ => self.unauthorized(Some(scope), Some("insufficient_scope"), "authentication required"),
        }
    }

    /// The challenge (RFC 6750, section 3; RFC 7617, section 2). The host is validated, names are parsed.
    fn unauthorized(&self, scope: Option<&str>, error: Option<&str>, reason: &'static str) -> V2Error {
        let origin = Origin::of(self.state, self.request);
        let challenge = if self.state.config.token_auth {
            let mut text = format!("Bearer realm=\"{}\",service=\"{}\"", origin.token_realm(), origin.host);
            for (key, value) in [("scope", scope), ("error", error)] {
                if let Some(value) = value {
                    text.extend([",", key, "=\"", value, "\""]);
                }
            }
            text
        } else {
            format!("Basic realm=\"{}\"", origin.host)
        };
        V2Error::Unauthorized { challenge: HeaderValue::try_from(challenge).ok(), reason }
    }
}
