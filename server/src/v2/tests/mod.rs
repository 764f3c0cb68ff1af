//! The registry API against a real catalog and blob folder.

mod access;
pub(crate) mod fixture;
mod lists;
mod pulls;
mod push;
mod site;
mod tokens;
mod wire;
