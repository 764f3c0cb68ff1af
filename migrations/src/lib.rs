//! The database schema, one file a change.
//!
//! The same migrations build SQLite and PostgreSQL. A migration is never edited once it has landed; each
//! invariant that the database can hold is a constraint, and every index has a name. Moments are `bigint`
//! microseconds since 1970 in UTC, so that they compare and sort alike everywhere. apalis's own tables are
//! made by apalis's migrations, which `storage` runs next to these.

#![expect(elided_lifetimes_in_paths, reason = "async_trait and the trait it implements leave them out too")]

pub use sea_orm_migration::{MigrationTrait, MigratorTrait};

mod columns;
mod m0001_users_and_secrets;
mod m0002_remotes;
mod m0003_repositories;
mod m0004_content;
mod m0005_repository_versions;
mod m0006_distributions;
mod m0007_tasks;
mod m0008_workers;
mod m0009_task_groups;
mod m0010_schedules;
mod m0011_task_logs;
mod m0012_content_lists_and_uploads;
mod m0014_pushes;
mod m0015_orphans;

/// Every change, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_users_and_secrets::Migration),
            Box::new(m0002_remotes::Migration),
            Box::new(m0003_repositories::Migration),
            Box::new(m0004_content::Migration),
            Box::new(m0005_repository_versions::Migration),
            Box::new(m0006_distributions::Migration),
            Box::new(m0007_tasks::Migration),
            Box::new(m0008_workers::Migration),
            Box::new(m0009_task_groups::Migration),
            Box::new(m0010_schedules::Migration),
            Box::new(m0011_task_logs::Migration),
            Box::new(m0012_content_lists_and_uploads::Migration),
            Box::new(m0014_pushes::Migration),
            Box::new(m0015_orphans::Migration),
        ]
    }
}
