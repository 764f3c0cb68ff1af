//! The management API, asked by hand.

mod bad_input;
mod secrets;
mod tasks;
