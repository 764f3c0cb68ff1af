//! The token service of the registry (Docker Registry v2 authentication, "Token Authentication Specification").
//!
//! Tokens say what their bearer may do, are signed, and last five minutes; nothing about them is stored.

mod claims;
mod endpoint;
mod issuer;
mod scope;

pub(crate) use claims::Claims;
pub(crate) use endpoint::get;
pub(crate) use issuer::{TokenError, TokenIssuer};
