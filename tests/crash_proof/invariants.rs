//! What has to hold when everything is quiet again. Schedules will have theirs here too.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::Scale;
use super::event_log::EventLog;
use super::scene::Scene;
use super::versions;
use super::workload::Workload;
use crate::harness::Entrepot;

/// A task whose workers died this often is held to be the cause.
const DIED: &str = "worker.died";
/// Deleting a version that another task has deleted meanwhile, or that is the last one by now, fails. Nothing else may.
const DELETION: (&str, [&str; 2]) =
    ("pulpcore.app.tasks.repository.delete_version", ["not_found", "invalid"]);

/// What was found wrong, all of it.
#[derive(Default)]
pub struct Violations(pub Vec<String>);

impl Violations {
    pub fn add(&mut self, violation: impl Into<String>) {
        self.0.push(violation.into());
    }
}

/// Checks everything; fails with all that is wrong, and tells how much was looked at.
pub fn check(scene: &mut Scene, workload: &Workload, scale: &Scale, what: &str) {
    let mut violations = Violations::default();
    scene.end_workers();
    let entrepot = &scene.entrepot;
    let tasks = all_tasks(entrepot);
    check_none_is_lost(&tasks, workload, &mut violations);
    check_all_ended(&tasks, workload, &mut violations);
    let pairs = check_order(&tasks, &scene.log, &mut violations);
    check_nothing_is_locked(entrepot, &mut violations);
    let whole = versions::check(entrepot, &mut violations);
    check_it_goes_on(entrepot, workload, &mut violations);
    println!(
        "{what}, seed {}: {} kills; tasks {:?}; {} requests unanswered, {} failed; {} runs, {pairs} pairs in order; {whole}",
        scale.seed,
        scene.kills,
        outcomes(&tasks),
        workload.unanswered,
        workload.failed,
        scene.log.runs.len(),
    );
    let count = violations.0.len();
    violations.0.truncate(20);
    assert!(count == 0, "{what}: {count} violations:\n{}\nAgain: {}", violations.0.join("\n"), scale.again());
}

/// All tasks, in the order in which they were accepted.
fn all_tasks(entrepot: &Entrepot) -> Vec<Value> {
    let mut tasks = Vec::new();
    loop {
        let path = format!("/tasks/?ordering=pulp_created&limit=100&offset={}", tasks.len());
        let page = entrepot.api("GET", &path, &json!(null)).expect(200);
        tasks.extend(page["results"].as_array().unwrap().iter().cloned());
        if page["next"].is_null() {
            return tasks;
        }
    }
}

fn check_none_is_lost(tasks: &[Value], workload: &Workload, violations: &mut Violations) {
    for href in &workload.accepted {
        if !tasks.iter().any(|task| task["pulp_href"] == *href) {
            violations.add(format!("{href} was accepted and is lost"));
        }
    }
}

/// Every task is in a final state, and says how it came to that.
fn check_all_ended(tasks: &[Value], workload: &Workload, violations: &mut Violations) {
    for task in tasks {
        let reason = task["error"]["reason"].as_str().unwrap_or_default();
        let has_ended = !task["finished_at"].is_null();
        let is_well = match task["state"].as_str().unwrap() {
            "completed" => task["error"].is_null(),
            "failed" => {
                let is_known = reason == DIED || task["name"] == DELETION.0 && DELETION.1.contains(&reason);
                is_known && task["error"]["description"] != ""
            }
            "canceled" => workload.cancel_asked.contains(task["pulp_href"].as_str().unwrap()),
            _ => false,
        };
        if !is_well || !has_ended {
            violations.add(format!("a task did not end as it should: {task:#}"));
        }
    }
}

/// A task starts when all that were accepted before it and conflict with it are over, each time that it starts; and its
/// own runs are one after the other.
fn check_order(tasks: &[Value], log: &EventLog, violations: &mut Violations) -> usize {
    let mut pairs = 0;
    let ids: Vec<_> = tasks.iter().map(id_of).collect();
    for (at, task) in tasks.iter().enumerate() {
        let mut runs: Vec<_> = log.of(ids[at]).collect();
        runs.sort_by(|one, other| one.start.cmp(&other.start));
        if task["state"] == "completed" && runs.is_empty() {
            violations.add(format!("nobody ran the completed {}", ids[at]));
        }
        for two in runs.windows(2).filter(|two| two[1].start < two[0].end) {
            violations.add(format!("a task ran twice at the same time: {two:?}"));
        }
        for two in runs.windows(2).filter(|two| two[1].dispatch_no <= two[0].dispatch_no) {
            violations.add(format!("a dispatch was taken twice: {two:?}"));
        }
        for earlier in (0..at).filter(|earlier| conflict(&tasks[*earlier], task)) {
            pairs += 1;
            let first_start = runs.first().map(|run| &run.start);
            let last_end = log.of(ids[earlier]).map(|run| &run.end).max();
            if let (Some(start), Some(end)) = (first_start, last_end)
                && start < end
            {
                let (before, after): (Vec<_>, Vec<_>) = (log.of(ids[earlier]).collect(), runs.clone());
                violations
                    .add(format!("conflicting tasks overlap or are out of order: {before:?} {after:?}"));
            }
        }
    }
    pairs
}

/// Whether one of them reserved something alone that the other reserved too.
fn conflict(one: &Value, other: &Value) -> bool {
    let reserved = |task: &Value| -> HashMap<String, bool> {
        let records = task["reserved_resources_record"].as_array().unwrap().iter();
        let read = |record: &Value| match record.as_str().unwrap().strip_prefix("shared:") {
            Some(resource) => (resource.to_owned(), false),
            None => (record.as_str().unwrap().to_owned(), true),
        };
        records.map(read).collect()
    };
    let other = reserved(other);
    reserved(one)
        .iter()
        .any(|(resource, is_alone)| other.get(resource).is_some_and(|other_alone| *is_alone || *other_alone))
}

fn check_nothing_is_locked(entrepot: &Entrepot, violations: &mut Violations) {
    let locks = entrepot.number("SELECT count(*) FROM task_resource WHERE held");
    if locks != 0 {
        violations.add(format!("{locks} reservations are left"));
    }
    let owned = entrepot.number("SELECT count(*) FROM task WHERE worker_id IS NOT NULL");
    if owned != 0 {
        violations.add(format!("{owned} tasks still belong to a worker"));
    }
    let half_blobs = entrepot.half_blobs();
    if half_blobs != 0 {
        violations.add(format!("{half_blobs} half blobs are left"));
    }
}

/// The next syncs bring what upstream has by now.
fn check_it_goes_on(entrepot: &Entrepot, workload: &Workload, violations: &mut Violations) {
    workload.upstream.heal();
    for mirror in &workload.mirrors {
        let task = entrepot.sync(&mirror.hrefs, true);
        if task["state"] != "completed" {
            violations.add(format!("{} cannot be synced any more: {task:#}", mirror.name));
            continue;
        }
        let (served, wanted) = (entrepot.served_tags(&mirror.name), workload.upstream.tags(&mirror.name));
        if served != wanted {
            violations.add(format!("{} serves {served:?} instead of {wanted:?}", mirror.name));
        }
    }
}

/// How many tasks ended how.
fn outcomes(tasks: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for task in tasks {
        let reason = task["error"]["reason"].as_str();
        let state = task["state"].as_str().unwrap();
        let outcome = reason.map_or_else(|| state.to_owned(), |reason| format!("{state}: {reason}"));
        *counts.entry(outcome).or_default() += 1;
    }
    counts
}

fn id_of(task: &Value) -> &str {
    task["pulp_href"].as_str().unwrap().trim_end_matches('/').rsplit('/').next().unwrap()
}

/// A check that never fails would prove nothing.
#[test]
fn runs_beside_each_other_and_out_of_order_are_seen() {
    let task = |id: &str, resource: &str| {
        let href = format!("/pulp/api/v3/tasks/{id}/");
        json!({"pulp_href": href, "state": "completed", "reserved_resources_record": [resource]})
    };
    let line = |second: u32, message: &str, task: &str| {
        let span = json!({"name": "job", "task.id": task, "task.dispatch_no": 1});
        let timestamp = format!("2026-01-01T00:00:{second:02}.000000Z");
        json!({"timestamp": timestamp, "message": message, "spans": [span]}).to_string()
    };
    let violations_of = |first: [u32; 2], second: u32, resource: &str| {
        let mut log = EventLog::default();
        let ended = [line(first[0], "task started", "a"), line(first[1], "task ends", "a")];
        log.take_in(&ended, registry::Timestamp::from_micros(0));
        // Its process is killed in the year 2096.
        log.take_in(
            &[line(second, "task started", "b")],
            registry::Timestamp::from_micros(4_000_000_000_000_000),
        );
        let mut violations = Violations::default();
        check_order(&[task("a", "repository"), task("b", resource)], &log, &mut violations);
        violations.0.len()
    };
    assert_eq!(violations_of([1, 5], 6, "repository"), 0);
    assert_eq!(violations_of([1, 5], 4, "repository"), 1, "beside each other");
    assert_eq!(violations_of([7, 8], 6, "repository"), 1, "the second one first");
    assert_eq!(violations_of([1, 5], 4, "shared:repository"), 1, "one of them alone");
    assert_eq!(violations_of([1, 5], 4, "another"), 0);
}
