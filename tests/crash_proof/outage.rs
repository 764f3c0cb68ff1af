//! The database goes away, or somebody else keeps it busy, while tasks run.

use std::process::Command;
use std::time::Duration;

use super::Scale;
use super::invariants;
use super::scene::Scene;
use super::workload::Workload;
use crate::harness::{Database, PostgresCluster, Program, wait_until};

/// Shorter than the lease, and longer.
const OUTAGES: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(14)];
/// As long as SQLite is told to wait for others.
const LOCKED_SECS: &str = "10";

const LOCK: &str = "import sqlite3, sys, time\n\
    database = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)\n\
    database.execute('BEGIN EXCLUSIVE')\n\
    print('locked', flush=True)\n\
    time.sleep(float(sys.argv[2]))\n\
    database.execute('COMMIT')\n";

#[tokio::test(flavor = "multi_thread")]
async fn tasks_survive_a_crash_of_postgresql() {
    if !Database::is_postgres_here() {
        return;
    }
    let scale = Scale::chosen();
    let cluster = PostgresCluster::start();
    let mut scene = Scene::start_on(&cluster);
    let mut workload = Workload::prepare(&scene.entrepot, scale.seed, scale.repositories).await;
    for outage in OUTAGES.iter().take(if scale.is_long { 2 } else { 1 }) {
        ask_until_something_runs(&mut workload, &scene, &scale);
        cluster.crash();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(*outage);
                cluster.start_again();
            });
            // Whether they are accepted or not: what is accepted is not lost.
            ask(&mut workload, &scene, 3);
        });
        ask(&mut workload, &scene, scale.tasks_a_round);
    }
    scene.await_quiet();
    invariants::check(&mut scene, &workload, &scale, "a crash of PostgreSQL");
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_survive_that_somebody_else_locks_sqlite() {
    let scale = Scale::chosen();
    let mut scene = Scene::start(Database::Sqlite);
    let mut workload = Workload::prepare(&scene.entrepot, scale.seed, scale.repositories).await;
    ask_until_something_runs(&mut workload, &scene, &scale);
    let file = scene.entrepot.data_folder().join("entrepot.sqlite");
    let mut locker =
        Program::start("python3", Command::new("python3").args(["-c", LOCK]).arg(file).arg(LOCKED_SECS));
    locker.wait_for_line("locked");
    ask(&mut workload, &scene, 3);
    assert!(locker.wait().success());
    ask(&mut workload, &scene, scale.tasks_a_round);
    scene.await_quiet();
    invariants::check(&mut scene, &workload, &scale, "a lock on SQLite");
}

fn ask(workload: &mut Workload, scene: &Scene, count: usize) {
    for _ in 0..count {
        workload.ask_something(&scene.entrepot);
    }
}

/// Asks for several rounds at once, so that there is work in hand and work that waits.
fn ask_until_something_runs(workload: &mut Workload, scene: &Scene, scale: &Scale) {
    let blobs_before = workload.upstream.count("GET", "/blobs/");
    workload.move_tags();
    ask(workload, scene, 3 * scale.tasks_a_round);
    let mirrors = workload.mirrors.clone();
    for mirror in &mirrors {
        workload.accepted.push(scene.entrepot.start_sync(&mirror.hrefs, true));
    }
    wait_until("a blob that is on its way", || workload.upstream.count("GET", "/blobs/") > blobs_before);
}
