//! Signs and verifies tokens (JWT, RFC 7519, with ES256).

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use p256::elliptic_curve::Generate as _;
use p256::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use registry::{Clock, Timestamp};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::claims::{Access, Claims};
use crate::error::SigningKeyError;

/// How long a token lasts, in seconds.
pub(crate) const LIFETIME_SECONDS: i64 = 300;
/// How far the clocks of two servers may be apart, in seconds.
const SKEW_SECONDS: i64 = 60;
const ISSUER: &str = "entrepot";
/// Longer than any token that is issued.
const MAX_TOKEN_BYTES: usize = 32 * 1024;
const REMEMBERED_TOKENS: u64 = 10_000;

/// Why a token is not good.
#[derive(Debug, Error)]
pub(crate) enum TokenError {
    /// The signature is wrong, or it is no token.
    #[error("the token cannot be verified: {0}")]
    Signature(#[from] jsonwebtoken::errors::Error),
    /// Its time is over, or has not come.
    #[error("the token is not valid at this time")]
    Time,
    /// It was made for another service.
    #[error("the token is for another service")]
    Audience,
    /// Somebody else issued it.
    #[error("the token has another issuer")]
    Issuer,
    /// It is too long.
    #[error("the token is too long")]
    TooLong,
}

/// A fresh token.
pub(crate) struct IssuedToken {
    pub(crate) text: String,
    pub(crate) issued_at: Timestamp,
}

/// Signs tokens, and remembers those that it verified, so that a pull costs one signature check.
pub(crate) struct TokenIssuer {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    clock: Clock,
    verified: moka::sync::Cache<[u8; 32], Arc<Claims>>,
}

impl TokenIssuer {
    /// A fresh signing key, as PKCS#8 PEM.
    pub(crate) fn make_key() -> String {
        p256::SecretKey::generate_from_rng(&mut rand::rng())
            .to_pkcs8_pem(LineEnding::LF)
            .expect("a P-256 key fits into PKCS#8")
            .as_str()
            .to_owned()
    }

    /// From a key that [`Self::make_key`] made.
    pub(crate) fn from_key(pem: &str, clock: Clock) -> Result<Self, SigningKeyError> {
        let public = p256::SecretKey::from_pkcs8_pem(pem)?.public_key().to_public_key_pem(LineEnding::LF)?;
        let mut validation = Validation::new(Algorithm::ES256);
        // Times, issuer and audience are checked below, by the clock that was passed in.
        validation.validate_exp = false;
        validation.validate_aud = false;
        let verified = moka::sync::Cache::builder()
            .max_capacity(REMEMBERED_TOKENS)
            .time_to_live(Duration::from_secs(
                LIFETIME_SECONDS.unsigned_abs() + 2 * SKEW_SECONDS.unsigned_abs(),
            ))
            .build();
        Ok(Self {
            encoding: EncodingKey::from_ec_pem(pem.as_bytes())?,
            decoding: DecodingKey::from_ec_pem(public.as_bytes())?,
            validation,
            clock,
            verified,
        })
    }

    /// A token for `subject` (empty: anybody) at `service` that allows `access`.
    pub(crate) fn issue(
        &self,
        subject: &str,
        service: &str,
        access: Vec<Access>,
    ) -> Result<IssuedToken, TokenError> {
        let issued_at = self.clock.now();
        let seconds = issued_at.as_secs();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: subject.to_owned(),
            aud: service.to_owned(),
            exp: seconds + LIFETIME_SECONDS,
            nbf: seconds,
            iat: seconds,
            jti: uuid::Builder::from_random_bytes(rand::random()).into_uuid().simple().to_string(),
            access,
        };
        let text = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &self.encoding)?;
        Ok(IssuedToken { text, issued_at })
    }

    /// What a token says, if it is ours, for `service`, and of this time.
    pub(crate) fn verify(&self, token: &str, service: &str) -> Result<Arc<Claims>, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let key: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let claims = if let Some(claims) = self.verified.get(&key) {
            claims
        } else {
            let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)?.claims;
            let claims = Arc::new(claims);
            self.verified.insert(key, Arc::clone(&claims));
            claims
        };
        let now = self.clock.now().as_secs();
        if claims.iss != ISSUER {
            return Err(TokenError::Issuer);
        }
        if claims.aud != service {
            return Err(TokenError::Audience);
        }
        if now >= claims.exp.saturating_add(SKEW_SECONDS) || now.saturating_add(SKEW_SECONDS) < claims.nbf {
            return Err(TokenError::Time);
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn issuer() -> (TokenIssuer, Clock) {
        let clock = Clock::steered(Timestamp::from_micros(1_800_000_000_000_000));
        (TokenIssuer::from_key(&TokenIssuer::make_key(), clock.clone()).unwrap(), clock)
    }

    fn access() -> Vec<Access> {
        vec![Access { kind: "repository".into(), name: "a/b".into(), actions: vec!["pull".into()] }]
    }

    #[test]
    fn a_token_says_what_it_was_issued_for() {
        let (issuer, clock) = issuer();
        let token = issuer.issue("admin", "host:1", access()).unwrap();
        assert_eq!(token.issued_at, clock.now());
        for _ in 0..2 {
            let claims = issuer.verify(&token.text, "host:1").unwrap();
            assert_eq!((claims.sub.as_str(), claims.exp - claims.iat), ("admin", 300));
            assert!(claims.allows(&"a/b".parse().unwrap(), "pull"));
            assert!(!claims.allows(&"a/b".parse().unwrap(), "push"));
            assert!(!claims.allows(&"a/c".parse().unwrap(), "pull"));
            assert!(!claims.allows_catalog());
        }
    }

    #[test]
    fn time_and_audience_are_checked_even_when_remembered() {
        let (issuer, clock) = issuer();
        let token = issuer.issue("", "host:1", access()).unwrap().text;
        assert!(matches!(issuer.verify(&token, "host:2"), Err(TokenError::Audience)));
        clock.advance_seconds(LIFETIME_SECONDS + SKEW_SECONDS - 1);
        assert!(issuer.verify(&token, "host:1").is_ok());
        clock.advance_seconds(1);
        assert!(matches!(issuer.verify(&token, "host:1"), Err(TokenError::Time)));
        clock.advance_seconds(-(LIFETIME_SECONDS + 2 * SKEW_SECONDS));
        assert!(issuer.verify(&token, "host:1").is_ok());
        clock.advance_seconds(-1);
        assert!(matches!(issuer.verify(&token, "host:1"), Err(TokenError::Time)));
    }

    #[test]
    fn forged_tokens_are_refused() {
        let (ours, clock) = issuer();
        let theirs = TokenIssuer::from_key(&TokenIssuer::make_key(), clock).unwrap();
        let stranger = theirs.issue("admin", "s", access()).unwrap().text;
        let own = ours.issue("", "s", access()).unwrap().text;
        let (head, rest) = own.split_once('.').unwrap();
        let (claims, signature) = rest.split_once('.').unwrap();
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let hmac = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let mut changed: serde_json::Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        changed["sub"] = "admin".into();
        let changed = URL_SAFE_NO_PAD.encode(changed.to_string());
        for bad in [
            String::new(),
            "a.b.c".to_owned(),
            stranger,
            format!("{none}.{claims}."),
            format!("{none}.{claims}.{signature}"),
            format!("{hmac}.{claims}.{signature}"),
            format!("{head}.{changed}.{signature}"),
            format!("{head}.{claims}."),
        ] {
            assert!(matches!(ours.verify(&bad, "s"), Err(TokenError::Signature(_))), "{bad}");
        }
        assert!(matches!(ours.verify(&"a".repeat(40_000), "s"), Err(TokenError::TooLong)));
        assert!(ours.verify(&own, "s").is_ok());
    }

    #[test]
    fn another_issuer_with_our_key_is_refused() {
        let (issuer, clock) = issuer();
        let mut claims = issuer.issue("", "s", access()).unwrap().text;
        let mut parsed =
            jsonwebtoken::decode::<Claims>(&claims, &issuer.decoding, &issuer.validation).unwrap().claims;
        parsed.iss = "other".into();
        claims = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &parsed, &issuer.encoding).unwrap();
        assert!(matches!(issuer.verify(&claims, "s"), Err(TokenError::Issuer)));
        assert!(clock.now().as_secs() > 0);
    }
}
