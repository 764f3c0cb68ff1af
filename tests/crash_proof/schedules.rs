//! Many schedulers on one schedule, some of which die: each second has its fire, and no second has two.

use serde_json::{Value, json};

use super::Scale;
use crate::harness::{Database, Entrepot, Program, wait_until};

/// How many seconds are waited for.
fn seconds() -> i64 {
    if Scale::chosen().is_long { 60 } else { 12 }
}

/// Starts a schedule that fires each second: its href.
fn each_second(entrepot: &Entrepot) -> String {
    let fields = json!({
        "name": "each second",
        "schedule": "* * * * * *",
        "task": {"kind": "purge", "older_than_days": 30},
        "on_overlap": "queue",
    });
    let made = entrepot.api("POST", "/task-schedules/", &fields).expect(201);
    made["pulp_href"].as_str().unwrap().to_owned()
}

fn fires(entrepot: &Entrepot) -> i64 {
    entrepot.number("SELECT count(*) FROM task WHERE dedupe_key LIKE 'schedule:%'")
}

/// Stops the schedule, and compares the fires with the seconds that went by.
fn assert_each_second_fired_once(entrepot: &Entrepot, schedule: &str) {
    entrepot.admin().send("POST", &format!("{schedule}disable/"), &Value::Null).expect(200);
    let shown = entrepot.read(schedule);
    for counted in ["missed_fires", "skipped_fires"] {
        assert_eq!(shown[counted], 0, "{shown:#}");
    }
    // The key of a fire ends with its moment in microseconds, of which all have sixteen digits.
    let micros = "CAST(substr(dedupe_key, length(dedupe_key) - 15) AS bigint)";
    let fired = "FROM task WHERE dedupe_key LIKE 'schedule:%'";
    let first = entrepot.number(&format!("SELECT min({micros}) {fired}"));
    let last = entrepot.number(&format!("SELECT max({micros}) {fired}"));
    let passed = (last - first) / 1_000_000 + 1;
    assert!(passed >= seconds());
    let distinct = entrepot.number(&format!("SELECT count(DISTINCT {micros}) {fired}"));
    assert_eq!((fires(entrepot), distinct), (passed, passed));
    let unfinished = format!("SELECT count(*) {fired} AND state <> 'completed'");
    wait_until("the end of what was fired", || entrepot.number(&unfinished) == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_schedulers_of_which_two_die_fire_each_second_once() {
    if !Database::is_postgres_here() {
        return;
    }
    let server = Entrepot::start_server(&[]);
    let mut workers: Vec<Program> = (0..4).map(|_| server.start_worker()).collect();
    let schedule = each_second(&server);
    for part in [1, 2] {
        wait_until("fires", || fires(&server) >= seconds() * part / 3);
        workers.pop().unwrap().kill();
    }
    wait_until("the last fire", || fires(&server) >= seconds());
    assert_each_second_fired_once(&server, &schedule);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_dies_twice_fires_each_second_once() {
    let mut entrepot = Entrepot::start(Database::Sqlite);
    let schedule = each_second(&entrepot);
    for part in [1, 2] {
        wait_until("fires", || fires(&entrepot) >= seconds() * part / 3);
        entrepot.kill();
        entrepot.restart();
    }
    wait_until("the last fire", || fires(&entrepot) >= seconds());
    assert_each_second_fired_once(&entrepot, &schedule);
}
