//! The management API, asked by hand.

mod bad_input;
mod metrics;
mod operators;
mod secrets;
mod task_events;
mod traces;
