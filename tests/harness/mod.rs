//! What the tests stand on: processes that end with the test, and ways to ask them.

mod client;
mod database;
mod docker_registry;
mod entrepot;
pub mod faults;
mod images;
mod management;
mod masking;
mod metrics;
mod postgres;
mod process;
mod pulp;
mod registry_client;
mod skopeo;

pub use client::{Answer, Client};
pub use database::Database;
pub use docker_registry::DockerRegistry;
pub use entrepot::{ADMIN_PASSWORD, Entrepot};
pub use images::some_images;
pub use management::{API, Mirror, error_of};
pub use masking::masked;
pub use metrics::Samples;
pub use postgres::PostgresCluster;
pub use process::{Program, run, wait_until};
pub use pulp::PulpCli;
pub use registry_client::Pusher;
pub use skopeo::Skopeo;

/// Declares each of these `async fn NAME(database: Database)` as two tests, `NAME::sqlite` and `NAME::postgres`.
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use $crate::harness::Database;

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                super::$name(Database::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                if Database::is_postgres_here() {
                    super::$name(Database::Postgres).await;
                }
            }
        }
    )+};
}
pub(crate) use on_both_databases;
