//! The parts of the `entrepot` command: its arguments and settings, the composed service, and the commands.
//!
//! What is served, synced and kept is the business of the other crates; this one puts them together. It is a
//! library so that tests can start the whole and use the generated images.

pub mod cli;
pub mod demo;
pub mod error;
pub mod mirror;
pub mod service;
pub mod settings;
pub mod telemetry;
pub mod upkeep;

pub use error::Error;
pub use settings::Settings;
