//! Answers challenges: fetches tokens, keeps them, renews them (distribution "Token Authentication
//! Specification"). Nothing secret is sent before the registry has asked for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use registry::Timestamp;
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use url::Url;

use crate::challenge::Challenge;
use crate::client::Inner;
use crate::exchange::{Answer, Request};
use crate::limits::TOKEN_BYTES;
use crate::{SafeUrl, UpstreamError};

/// The specification's default of `expires_in`, and the least that a token is good for.
const TOKEN_SECONDS: i64 = 60;
/// No token is used for longer, whatever its server says.
const TOKEN_SECONDS_MAX: i64 = 24 * 60 * 60;
/// Tokens are renewed so long before they expire.
const RENEWED_BEFORE_SECONDS: i64 = 10;
/// Tokens for different scopes that are kept. A repository needs one; the bound is for registries that lie.
const TOKENS_KEPT: usize = 16;
/// How many challenges one request answers: none sent, a token shared with other requests that meanwhile
/// expired, the one fetched instead.
const ROUNDS: usize = 4;

/// What is known of a registry's wishes.
#[derive(Default)]
pub(crate) struct Auth {
    state: Mutex<State>,
    fetched: AtomicU64,
}

#[derive(Default)]
struct State {
    /// How the last challenge was answered: the next request is sent with that at once.
    answer: Option<Scheme>,
    tokens: HashMap<(Url, Option<String>, String), Arc<Slot>>,
}

#[derive(Clone)]
enum Scheme {
    Basic,
    Bearer(Arc<Slot>),
}

/// The place of one token. Its lock is held while the token is fetched, so that requests which need it
/// wait for one fetch instead of making their own.
struct Slot {
    realm: Url,
    service: Option<String>,
    scope: String,
    token: tokio::sync::Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    header: HeaderValue,
    renewed_at: Timestamp,
    number: u64,
}

/// What a request was sent with.
struct Credential {
    header: HeaderValue,
    scheme: Scheme,
    /// Which token; 0 for Basic.
    number: u64,
    /// Whether this very request fetched it, so that fetching another would change nothing.
    is_fresh: bool,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<serde_json::Number>,
}

impl Inner {
    /// Sends a request with the credentials that the registry has asked for, and answers its challenge.
    pub(crate) async fn fetch(&self, mut request: Request) -> Result<Answer, UpstreamError> {
        let known = self.auth.lock().answer.clone();
        let mut sent = match known {
            Some(scheme) => Some(self.credential(scheme, &self.shown(&request.url), None).await?),
            None => None,
        };
        for _ in 0..ROUNDS {
            request.authorization = sent.as_ref().map(|credential| credential.header.clone());
            let answer = self.exchange(&request).await?;
            if answer.status() != 401 || !answer.is_from_origin {
                return Ok(answer);
            }
            match self.answer_challenge(&answer, sent.as_ref()).await? {
                Some(credential) => sent = Some(credential),
                None => return Ok(answer),
            }
            answer.drain().await;
        }
        let reason = "it keeps refusing the tokens that its own token server gives".to_owned();
        Err(UpstreamError::Unauthorized { url: self.shown(&request.url), reason })
    }

    /// The credential for another try; `None` when a better one cannot be had.
    async fn answer_challenge(
        &self,
        answer: &Answer,
        refused: Option<&Credential>,
    ) -> Result<Option<Credential>, UpstreamError> {
        let scheme = match Challenge::choose(answer.response.headers()) {
            None => return Ok(None),
            Some(Challenge::Basic) if self.basic_header().is_none() => return Ok(None),
            Some(Challenge::Basic) => Scheme::Basic,
            Some(Challenge::Bearer { realm, service, scope }) => {
                Scheme::Bearer(self.slot(answer, &realm, service, scope)?)
            }
        };
        let number = match (refused, &scheme) {
            (Some(Credential { scheme: Scheme::Basic, .. }), Scheme::Basic) => return Ok(None),
            (
                Some(Credential { scheme: Scheme::Bearer(slot), number, is_fresh, .. }),
                Scheme::Bearer(wanted),
            ) if Arc::ptr_eq(slot, wanted) => {
                if *is_fresh {
                    return Ok(None);
                }
                Some(*number)
            }
            _ => None,
        };
        let credential = self.credential(scheme.clone(), &answer.url, number).await?;
        self.auth.lock().answer = Some(scheme);
        Ok(Some(credential))
    }

    async fn credential(
        &self,
        scheme: Scheme,
        asked_by: &SafeUrl,
        refused: Option<u64>,
    ) -> Result<Credential, UpstreamError> {
        let Scheme::Bearer(slot) = &scheme else {
            let reason = "it asks for a user name and a password, and none are set".to_owned();
            let header = self.basic_header();
            let header =
                header.ok_or_else(|| UpstreamError::Unauthorized { url: asked_by.clone(), reason })?;
            return Ok(Credential { header, scheme, number: 0, is_fresh: false });
        };
        let mut kept = slot.token.lock().await;
        let usable =
            kept.clone().filter(|token| Some(token.number) != refused && self.clock.now() < token.renewed_at);
        let (token, is_fresh) = match usable {
            Some(token) => (token, false),
            None => (kept.insert(self.fetch_token(slot, asked_by).await?).clone(), true),
        };
        drop(kept);
        Ok(Credential { header: token.header, scheme, number: token.number, is_fresh })
    }

    /// The place for the token that a challenge asks for.
    fn slot(
        &self,
        answer: &Answer,
        realm: &str,
        service: Option<String>,
        scope: Option<String>,
    ) -> Result<Arc<Slot>, UpstreamError> {
        let mut realm: Url =
            realm.parse().map_err(|_| answer.bad("a challenge whose realm is not an absolute URL"))?;
        if !matches!(realm.scheme(), "http" | "https") || !realm.has_host() {
            return Err(answer.bad("a challenge whose realm is neither an http nor an https URL"));
        }
        let _ = realm.set_username("");
        let _ = realm.set_password(None);
        let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", self.config.repository));
        let mut state = self.auth.lock();
        let key = (realm, service, scope);
        if let Some(slot) = state.tokens.get(&key) {
            return Ok(Arc::clone(slot));
        }
        if state.tokens.len() >= TOKENS_KEPT {
            state.tokens.clear();
        }
        let (realm, service, scope) = key.clone();
        let slot = Arc::new(Slot { realm, service, scope, token: tokio::sync::Mutex::default() });
        state.tokens.insert(key, Arc::clone(&slot));
        Ok(slot)
    }

    async fn fetch_token(&self, slot: &Slot, asked_by: &SafeUrl) -> Result<Token, UpstreamError> {
        let authorization = self.basic_header();
        if authorization.is_some() && slot.realm.scheme() == "http" && self.config.url.scheme() == "https" {
            return Err(UpstreamError::InsecureRealm {
                url: asked_by.clone(),
                realm: self.shown(&slot.realm),
            });
        }
        let mut url = slot.realm.clone();
        let scopes = slot.scope.split_ascii_whitespace().map(|scope| ("scope", scope));
        let service = slot.service.as_deref().map(|service| ("service", service));
        url.query_pairs_mut().extend_pairs(service.into_iter().chain(scopes));
        let total = Some(self.small_answer_timeout);
        let request = Request { method: Method::GET, url, accept: None, range: None, authorization, total };
        let asked_at = self.clock.now();
        let answer = self.exchange(&request).await?;
        if answer.status() != 200 {
            return Err(self.refusal(answer).await);
        }
        answer.check_encoding()?;
        let url = answer.url.clone();
        let bytes = answer.read_all(TOKEN_BYTES).await?;
        let parsed: TokenAnswer = serde_json::from_slice(&bytes)
            .map_err(|source| UpstreamError::Json { url: url.clone(), source })?;
        let seconds = parsed.expires_in.and_then(|number| number.as_i64()).unwrap_or(TOKEN_SECONDS);
        let renewed_at =
            asked_at.plus_seconds(seconds.clamp(TOKEN_SECONDS, TOKEN_SECONDS_MAX) - RENEWED_BEFORE_SECONDS);
        let text = parsed.token.filter(|token| !token.is_empty()).or(parsed.access_token).unwrap_or_default();
        let header = HeaderValue::try_from(format!("Bearer {text}")).ok().filter(|_| !text.is_empty());
        let bad =
            || UpstreamError::BadAnswer { url, reason: "a token answer without a usable token".to_owned() };
        let mut header = header.ok_or_else(bad)?;
        header.set_sensitive(true);
        Ok(Token { header, renewed_at, number: self.auth.fetched.fetch_add(1, Ordering::Relaxed) + 1 })
    }

    fn basic_header(&self) -> Option<HeaderValue> {
        let username = self.config.username.as_deref()?;
        let password = self.config.password.as_deref().unwrap_or_default();
        let encoded = STANDARD.encode(format!("{username}:{password}"));
        let mut header = HeaderValue::try_from(format!("Basic {encoded}")).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

impl Auth {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
