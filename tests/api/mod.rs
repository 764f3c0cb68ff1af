//! The management API, asked by hand.

mod bad_input;
mod metrics;
mod operators;
mod orphans;
mod repair;
mod schedules;
mod secrets;
mod task_events;
mod tasks;
mod traces;
