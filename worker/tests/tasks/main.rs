//! Tasks from submission to end: a catalog on SQLite, a folder of blobs, a worker, and a registry that does wrong on
//! demand.

#![expect(clippy::unwrap_used, reason = "these are tests, their helpers included")]

mod changes;
mod contents;
mod failures;
mod filters;
mod house;
mod lifecycle;
mod mirroring;
mod orphans;
mod referrers;
mod repair;
mod uploads;

#[path = "../../../tests/harness/faults.rs"]
pub mod faults;
