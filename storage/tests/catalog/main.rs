//! Storage as the other crates use it, on SQLite and on PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod blobs;
mod fixture;
mod migrations;
mod queue;
mod resources;
mod versions;
