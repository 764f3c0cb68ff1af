//! The registry API, asked by hand.

mod bad_input;
mod pulls;
mod pushes;
mod tokens;
