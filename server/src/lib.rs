//! The HTTP surfaces: the management API, the registry API and its tokens.
//!
//! What is stored lives in `storage`, what is true of names and manifests in `registry`; here requests are
//! parsed, authorised, answered. [`router::routes`] lists every route.

pub mod api;
pub mod config;
mod connection;
mod credentials;
pub mod error;
mod health;
mod limits;
mod metrics;
mod origin;
pub mod router;
mod serve;
pub mod state;
pub mod telemetry;
mod token;
mod ui;
mod v2;

pub use config::ServerConfig;
pub use error::ServerError;
pub use serve::{Surface, serve};
pub use state::AppState;
pub use telemetry::CorrelationId;
