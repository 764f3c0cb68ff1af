//! The processes: a server with its workers on PostgreSQL, one that is all in one on SQLite.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use registry::{Clock, Timestamp};
use serde_json::json;

use super::event_log::EventLog;
use crate::harness::{Database, Entrepot, PostgresCluster, Program, run};

const WORKERS: usize = 3;
/// The event log needs the line that is written just before the commit.
const LOG: (&str, &str) = ("ENTREPOT_LOG", "info,storage::queue=debug");
/// Without any progress for so long, nothing more will happen.
const PATIENCE: Duration = Duration::from_mins(2);

/// The processes, and what those that are gone have written.
pub struct Scene {
    // Dropped first.
    workers: Vec<Program>,
    pub entrepot: Entrepot,
    pub log: EventLog,
    pub kills: usize,
}

/// A process that is about to be killed.
pub struct Doomed {
    worker: Option<usize>,
    kill: JoinHandle<Timestamp>,
}

impl Scene {
    /// Starts all processes.
    pub fn start(database: Database) -> Self {
        match database {
            Database::Sqlite => Self::of(Entrepot::start_with(database, &[LOG]), 0),
            Database::Postgres => Self::of(Entrepot::start_server(&[LOG]), WORKERS),
        }
    }

    /// Starts a server and workers on a PostgreSQL of their own.
    pub fn start_on(cluster: &PostgresCluster) -> Self {
        Self::of(Entrepot::start_server_on(cluster, &[LOG]), WORKERS)
    }

    fn of(entrepot: Entrepot, workers: usize) -> Self {
        let workers = (0..workers).map(|_| entrepot.launch_worker(&[])).collect();
        Self { workers, entrepot, log: EventLog::default(), kills: 0 }
    }

    /// Kills a process that runs tasks, whatever happens meanwhile: see [`Scene::replace`].
    pub fn kill_one(&mut self, random: &mut StdRng, after: Duration) -> Doomed {
        let worker = (!self.workers.is_empty()).then(|| random.random_range(0..self.workers.len()));
        let program = worker.map_or_else(|| self.entrepot.program(), |worker| &mut self.workers[worker]);
        assert!(program.is_running(), "a process ended by itself:\n{}", program.output());
        let process = program.id().to_string();
        let kill = std::thread::spawn(move || {
            std::thread::sleep(after);
            let (ok, _, error) = run(std::process::Command::new("kill").args(["-KILL", &process]));
            let now = Clock::system().now();
            assert!(ok, "{error}");
            now
        });
        Doomed { worker, kill }
    }

    /// Waits for the death of a process, and starts another one in its place.
    pub fn replace(&mut self, doomed: Doomed) {
        let died_at = doomed.kill.join().unwrap();
        self.kills += 1;
        if let Some(worker) = doomed.worker {
            let mut dead = std::mem::replace(&mut self.workers[worker], self.entrepot.launch_worker(&[]));
            dead.wait();
            self.log.take_in(&dead.last_output(), died_at);
        } else {
            let dead = self.entrepot.program();
            dead.wait();
            let lines = dead.last_output();
            self.log.take_in(&lines, died_at);
            self.entrepot.restart();
        }
    }

    /// Waits until every task has ended.
    pub fn await_quiet(&self) {
        let (mut fewest, mut deadline) = (u64::MAX, Instant::now());
        loop {
            let path = "/tasks/?state__in=waiting,running,canceling&limit=100";
            let unfinished = self.entrepot.api("GET", path, &json!(null)).expect(200);
            let count = unfinished["count"].as_u64().unwrap();
            if count == 0 {
                return;
            }
            if count < fewest {
                (fewest, deadline) = (count, Instant::now() + PATIENCE);
            }
            assert!(Instant::now() < deadline, "{count} tasks never end: {unfinished:#}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Takes in what the living have written, once all is quiet. One process takes their place, to ask it things.
    pub fn end_workers(&mut self) {
        if self.workers.is_empty() {
            let program = self.entrepot.program();
            assert!(program.is_running(), "{}", program.output());
            program.kill();
            let lines = program.last_output();
            self.log.take_in(&lines, Clock::system().now());
            self.entrepot.restart();
            return;
        }
        for mut worker in std::mem::take(&mut self.workers) {
            assert!(worker.is_running(), "a worker ended by itself:\n{}", worker.output());
            worker.kill();
            self.log.take_in(&worker.last_output(), Clock::system().now());
        }
        self.workers.push(self.entrepot.start_worker());
    }
}
