//! The schema goes up, down and up again; replicas that start together don't disturb each other.

use ::migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, Database};

use crate::fixture::{Fixture, every_database};

#[tokio::test]
async fn every_migration_can_be_undone_and_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut urls = vec![format!("sqlite:{}?mode=rwc", folder.path().join("schema.sqlite").display())];
    if let Ok(server) = std::env::var("ENTREPOT_TEST_POSTGRES_URL") {
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());
        Database::connect(&server)
            .await
            .unwrap()
            .execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        urls.push(format!("{}/{name}", server.rsplit_once('/').unwrap().0));
    }
    for url in urls {
        let database = Database::connect(&url).await.unwrap();
        Migrator::up(&database, None).await.unwrap();
        Migrator::down(&database, None).await.unwrap();
        database.execute_unprepared("SELECT 1 FROM repository").await.expect_err("the tables are gone");
        Migrator::up(&database, None).await.unwrap();
        database.execute_unprepared("SELECT 1 FROM repository").await.unwrap();
    }
}

#[tokio::test]
async fn migrating_again_and_at_once_changes_nothing() {
    for Fixture { catalog, .. } in every_database().await {
        let runs = futures::future::join_all((0..4).map(|_| catalog.migrate())).await;
        assert!(runs.iter().all(Result::is_ok), "{runs:?}");
    }
}
