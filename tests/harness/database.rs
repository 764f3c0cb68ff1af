//! A database of its own for each service.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::process::run;

const SERVER: &str = "ENTREPOT_TEST_POSTGRES_URL";

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// SQLite in the data folder.
    Sqlite,
    /// The PostgreSQL server that `tests/run` started.
    Postgres,
}

impl Database {
    /// Whether there is a server to test on. `tests/run` always has one; a plain `cargo test` may not.
    pub fn is_postgres_here() -> bool {
        let is_here = std::env::var_os(SERVER).is_some();
        if !is_here {
            eprintln!("skipped: {SERVER} is not set (tests/run sets it)");
        }
        is_here
    }
}

/// A PostgreSQL database that goes away with the test.
pub struct OwnDatabase {
    server: String,
    name: String,
}

impl OwnDatabase {
    /// Makes one on the server that `tests/run` started.
    pub fn create() -> Self {
        Self::create_on(std::env::var(SERVER).unwrap())
    }

    /// Makes one on another server.
    pub fn create_on(server: String) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("integration_{}_{number}", std::process::id());
        let made = Self { server, name };
        made.psql(&format!("CREATE DATABASE {}", made.name)).unwrap();
        made
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("{}/{}", self.server.rsplit_once('/').unwrap().0, self.name)
    }

    /// Everything in it, as SQL.
    pub fn dump(&self) -> String {
        let (ok, dump, error) = run(Command::new("pg_dump").arg(self.url()));
        assert!(ok, "{error}");
        dump
    }

    /// The number that a query finds.
    pub fn number(&self, sql: &str) -> i64 {
        let (ok, found, error) = run(Command::new("psql").args([&self.url(), "-qAtc", sql]));
        assert!(ok, "{error}");
        found.trim().parse().unwrap()
    }

    fn psql(&self, sql: &str) -> Result<(), String> {
        let (ok, _, error) = run(Command::new("psql").args([&self.server, "-qc", sql]));
        if ok { Ok(()) } else { Err(error) }
    }
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        if let Err(error) = self.psql(&format!("DROP DATABASE {} WITH (FORCE)", self.name)) {
            eprintln!("{} is left: {error}", self.name);
        }
    }
}
