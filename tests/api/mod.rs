//! The management API, asked by hand.

mod bad_input;
mod schedules;
mod secrets;
mod tasks;
