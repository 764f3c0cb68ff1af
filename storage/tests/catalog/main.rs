//! Storage as the other crates use it, on SQLite and on PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::needless_pass_by_value, reason = "outcomes are passed straight from the call")]

mod blobs;
mod filters;
mod fixture;
mod migrations;
mod modify;
mod observed;
mod orphans;
mod pushes;
mod queue;
mod queue_rules;
mod resources;
mod schedule_fires;
mod schedules;
mod uploads;
mod versions;
