//! `GET /token/`: who are you, what do you want, here is a token for what you may.
//!
//! Clients that post (Docker's `OAuth2` form) get 405 from the router, after which they come back with GET.

use poem::http::{HeaderValue, header};
use poem::{Request, Response};
use serde::Serialize;
use storage::StorageError;

use super::claims::Access;
use super::issuer::LIFETIME_SECONDS;
use super::scope::{self, Action, Scope};
use crate::AppState;
use crate::credentials::Credentials;
use crate::origin::Origin;
use crate::telemetry::CorrelationId;
use crate::v2::V2Error;

/// The answer (Docker's token specification, "Token Response Fields").
#[derive(Serialize)]
struct Answer {
    token: String,
    access_token: String,
    expires_in: i64,
    issued_at: String,
}

/// Answers a request for a token.
pub(crate) async fn get(state: AppState, request: Request) -> Response {
    match issue(&state, &request).await {
        Ok(answer) => Response::builder()
            .content_type("application/json")
            .header(header::CACHE_CONTROL, "no-store")
            .body(serde_json::to_string(&answer).expect("text and numbers are JSON")),
        Err(error) => error.into_response(&CorrelationId::of_request(&request)),
    }
}

async fn issue(state: &AppState, request: &Request) -> Result<Answer, V2Error> {
    if !state.config.token_auth {
        return Err(V2Error::NoSuchEndpoint);
    }
    let origin = Origin::of(state, request);
    let parameters: Vec<_> =
        url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).collect();
    let all = |wanted: &'static str| {
        parameters.iter().filter(move |(key, _)| key == wanted).map(|(_, value)| value.as_ref())
    };
    if all("service").any(|service| service != origin.host) {
        return Err(V2Error::WrongService { service: origin.host.into_owned() });
    }
    let user = match Credentials::find(request.headers()) {
        None => None,
        Some(Credentials::Basic { username, password }) => {
            let user = state.catalog.verify_password(&username, &password).await?;
            Some(user.ok_or_else(|| wrong_credentials(&origin))?)
        }
        Some(_) => return Err(wrong_credentials(&origin)),
    };
    let is_admin = user.as_ref().is_some_and(|user| user.is_admin);
    let mut access = Vec::new();
    for scope in scope::parse_all(all("scope")) {
        access.extend(grant(state, is_admin, scope).await?);
    }
    let subject = user.as_ref().map_or("", |user| user.username.as_str());
    let issued = state.tokens.issue(subject, &origin.host, access).map_err(V2Error::Signing)?;
    Ok(Answer {
        access_token: issued.text.clone(),
        token: issued.text,
        expires_in: LIFETIME_SECONDS,
        issued_at: issued.issued_at.to_string(),
    })
}

/// What of a scope is granted. An administrator gets all that is asked for, also on names that don't exist,
/// so that the registry can tell that they don't. Others may pull what is public.
async fn grant(state: &AppState, is_admin: bool, scope: Scope) -> Result<Option<Access>, StorageError> {
    let (kind, name, granted) = match scope {
        Scope::Repository(name, actions) => {
            let is_public = !is_admin
                && actions.contains(&Action::Pull)
                && state.catalog.find_served(&name).await?.is_some_and(|served| !served.private);
            let granted: Vec<Action> = (actions.into_iter())
                .filter(|action| is_admin || (is_public && *action == Action::Pull))
                .collect();
            ("repository", String::from(name), granted)
        }
        Scope::Catalog if is_admin || state.config.anonymous_catalog => {
            ("registry", "catalog".to_owned(), vec![Action::All])
        }
        Scope::Catalog => return Ok(None),
    };
    let actions: Vec<String> = granted.into_iter().map(|action| action.as_str().to_owned()).collect();
    Ok((!actions.is_empty()).then(|| Access { kind: kind.to_owned(), name, actions }))
}

fn wrong_credentials(origin: &Origin<'_>) -> V2Error {
    let challenge = HeaderValue::try_from(format!("Basic realm=\"{}\"", origin.host)).ok();
    V2Error::Unauthorized { challenge, reason: "the user name or the password is wrong" }
}
