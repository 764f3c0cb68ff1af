//! When tasks really worked, from what the workers' processes wrote while they did: nothing of it comes from the queue.
//!
//! Moments are texts in UTC with microseconds, as the log has them: they compare as texts.

use std::collections::BTreeMap;

use registry::Timestamp;
use serde_json::Value;

/// One run of a task: from its start until there was nothing left to do but the commit, or its process died.
#[derive(Debug, Clone)]
pub struct Run {
    pub task: String,
    pub dispatch_no: i64,
    pub start: String,
    pub end: String,
}

/// The runs of all processes so far.
#[derive(Debug, Default)]
pub struct EventLog {
    pub runs: Vec<Run>,
}

/// Any of these ends a run. The first one is written while what the task reserved is still locked by its last
/// transaction; the others come after that, when a successor may have started already.
const ENDS: [&str; 4] = ["task ends", "task completed", "task failed", "task stopped"];

impl EventLog {
    /// Takes in all that a process wrote. What has not ended was cut off at `died_at`.
    pub fn take_in(&mut self, lines: &[String], died_at: Timestamp) {
        let mut open: BTreeMap<(String, i64), String> = BTreeMap::new();
        for line in lines {
            let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
            let Some(message) = line["message"].as_str() else { continue };
            let Some(run) = run_of(&line) else { continue };
            let moment = line["timestamp"].as_str().unwrap().to_owned();
            if message == "task started" {
                let before = open.insert(run.clone(), moment);
                assert!(before.is_none(), "{run:?} started twice in one process");
            } else if ENDS.contains(&message)
                && let Some(start) = open.remove(&run)
            {
                self.runs.push(Run { task: run.0, dispatch_no: run.1, start, end: moment });
            }
        }
        let end = died_at.to_string();
        self.runs.extend(open.into_iter().map(|((task, dispatch_no), start)| Run {
            task,
            dispatch_no,
            start,
            end: end.clone(),
        }));
    }

    /// The runs of a task.
    pub fn of<'a>(&'a self, task: &'a str) -> impl Iterator<Item = &'a Run> {
        self.runs.iter().filter(move |run| run.task == task)
    }
}

/// Which run of which task a line is about: it says so itself, or the span that it was written in does.
fn run_of(line: &Value) -> Option<(String, i64)> {
    let spans = line["spans"].as_array().into_iter().flatten();
    std::iter::once(line).chain(spans).find_map(|fields| {
        Some((fields["task.id"].as_str()?.to_owned(), fields["task.dispatch_no"].as_i64()?))
    })
}
