//! Why the server cannot start.

use thiserror::Error;

/// What keeps the server from starting. Errors of single requests are mapped in `api/error.rs` and `v2/error.rs`.
#[derive(Debug, Error)]
pub enum ServerError {
    /// `public_url` cannot be a registry's address.
    #[error("public_url \"{url}\" {reason}")]
    PublicUrl {
        /// The setting.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The stored key that signs tokens cannot be read.
    #[error("the stored token signing key cannot be read: {0}")]
    SigningKey(#[from] SigningKeyError),
    /// The catalog could not be asked.
    #[error("the catalog failed: {0}")]
    Storage(#[from] storage::StorageError),
}

/// What is wrong with a signing key.
#[derive(Debug, Error)]
pub enum SigningKeyError {
    /// It is no PKCS#8 key on the curve P-256.
    #[error("it is no PKCS#8 P-256 key: {0}")]
    Pkcs8(#[from] p256::pkcs8::Error),
    /// Its public half cannot be written down.
    #[error("its public half cannot be encoded: {0}")]
    Spki(#[from] p256::pkcs8::spki::Error),
    /// The token library refuses it.
    #[error("the token library refuses it: {0}")]
    Jwt(#[from] jsonwebtoken::errors::Error),
}
