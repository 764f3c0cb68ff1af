//! A process that runs tasks is killed every second or two, while clients ask for more and upstream changes.

use std::time::{Duration, Instant};

use rand::RngExt;

use super::Scale;
use super::invariants;
use super::scene::Scene;
use super::workload::Workload;
use crate::harness::{Database, on_both_databases};

on_both_databases!(nothing_is_lost_when_processes_die);

/// How often a process is killed. The only one there is on SQLite needs some time to start.
const fn period(database: Database) -> Duration {
    match database {
        Database::Sqlite => Duration::from_secs(2),
        Database::Postgres => Duration::from_secs(1),
    }
}

async fn nothing_is_lost_when_processes_die(database: Database) {
    let scale = Scale::chosen();
    let mut scene = Scene::start(database);
    let mut workload = Workload::prepare(&scene.entrepot, scale.seed, scale.repositories).await;
    // Kills go on for a while when nothing new comes, so that the last tasks have their share.
    let mut rounds_left = 4;
    while rounds_left > 0 {
        let round = Instant::now();
        let moment = period(database).mul_f64(workload.random.random_range(0.0..1.0));
        let doomed = scene.kill_one(&mut workload.random, moment);
        if workload.accepted.len() < scale.tasks {
            workload.move_tags();
            for _ in 0..scale.tasks_a_round {
                workload.ask_something(&scene.entrepot);
            }
        } else {
            rounds_left -= 1;
        }
        scene.replace(doomed);
        std::thread::sleep(period(database).saturating_sub(round.elapsed()));
    }
    scene.await_quiet();
    assert_eq!(workload.failed, 0, "the server could not do what it was asked to: {}", scale.again());
    invariants::check(&mut scene, &workload, &scale, &format!("a storm on {database:?}"));
}
