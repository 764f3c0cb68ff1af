//! Storage as the other crates use it, on SQLite and on PostgreSQL.

mod blobs;
mod fixture;
mod migrations;
mod queue;
mod resources;
mod versions;
