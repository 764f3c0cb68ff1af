//! The logs of tasks: what is logged inside a job's span is kept with its task, for those who look afterwards.
//!
//! [`TaskLogs`] stands between two parts that must not wait for each other: [`TaskLogLayer`] puts lines in, from
//! wherever a job logs, and the [`writer`] takes them out and writes them to the catalog, many tasks at a time. The
//! log says nothing that is secret, so neither do these lines.

mod layer;
mod writer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use registry::{Clock, Timestamp};
use storage::TaskLogLine;
use tokio::sync::Notify;
use tracing::Level;
use uuid::Uuid;

pub use layer::TaskLogLayer;
pub(crate) use writer::write;

/// Most lines that are kept of a task.
pub const MAX_LINES: u64 = 1_000;
/// How many of them are for warnings and errors alone: the cause of a failure comes last.
const RESERVED_LINES: u64 = 100;
/// Longest line, in bytes; what is longer is cut.
pub const MAX_LINE_BYTES: usize = 2_048;

/// Where lines wait to be written. Clones share everything. Lines of tasks that no worker has announced are dropped.
#[derive(Debug, Clone, Default)]
pub struct TaskLogs(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    clock: Clock,
    tasks: Mutex<HashMap<Uuid, Pending>>,
    /// A task has ended.
    ended: Notify,
}

#[derive(Debug)]
struct Pending {
    /// Whose task it is: a process may have several workers, each with its own catalog.
    worker: Uuid,
    lines: Vec<TaskLogLine>,
    /// How many were taken so far, in this attempt and in earlier ones.
    taken: u64,
    dropped: u64,
    has_ended: bool,
}

impl TaskLogs {
    /// Keeps what the task logs from now on. `taken` is how many lines earlier attempts left.
    pub(crate) fn begin(&self, task: Uuid, worker: Uuid, taken: u64) {
        let new = Pending { worker, lines: Vec::new(), taken, dropped: 0, has_ended: false };
        let mut tasks = self.tasks();
        // It may come back to this worker before the lines of its last attempt were written.
        match tasks.get_mut(&task).filter(|pending| pending.worker == worker) {
            Some(pending) => pending.has_ended = false,
            None => {
                tasks.insert(task, new);
            }
        }
    }

    /// The attempt is over: what waits is written soon, and the task forgotten.
    pub(crate) fn end(&self, task: Uuid) {
        if let Some(pending) = self.tasks().get_mut(&task) {
            pending.has_ended = true;
        }
        self.0.ended.notify_one();
    }

    /// Takes a line in, unless the task has too many.
    fn push(&self, task: Uuid, level: Level, target: &str, message: String) {
        let mut tasks = self.tasks();
        let Some(pending) = tasks.get_mut(&task) else { return };
        let limit = if level <= Level::WARN { MAX_LINES } else { MAX_LINES - RESERVED_LINES };
        if pending.taken >= limit {
            pending.dropped += 1;
            return;
        }
        pending.taken += 1;
        let target = target.to_owned();
        pending.lines.push(TaskLogLine { at: self.0.clock.now(), level: name_of(level), target, message });
    }

    /// Everything of a worker that waits to be written; tasks that have ended are forgotten.
    fn take(&self, worker: Uuid) -> Vec<(Uuid, TaskLogLine)> {
        let now = self.0.clock.now();
        let mut all = Vec::new();
        self.tasks().retain(|task, pending| {
            if pending.worker != worker {
                return true;
            }
            let lines = std::mem::take(&mut pending.lines).into_iter();
            let last = (pending.has_ended && pending.dropped > 0).then(|| said_of(pending.dropped, now));
            all.extend(lines.chain(last).map(|line| (*task, line)));
            !pending.has_ended
        });
        all
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<Uuid, Pending>> {
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn said_of(dropped: u64, at: Timestamp) -> TaskLogLine {
    let message = format!("… {dropped} more lines were dropped");
    TaskLogLine { at, level: "warn", target: module_path!().to_owned(), message }
}

fn name_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(logs: &TaskLogs, worker: Uuid) -> Vec<String> {
        logs.take(worker).into_iter().map(|(_, line)| line.message).collect()
    }

    #[test]
    fn each_worker_gets_the_lines_of_its_tasks() {
        let logs = TaskLogs::default();
        let [one, other, task, stranger] = [(); 4].map(|()| Uuid::now_v7());
        logs.begin(task, one, 0);
        logs.push(task, Level::INFO, "worker", "a".into());
        logs.push(stranger, Level::INFO, "worker", "nobody's".into());
        assert!(logs.take(other).is_empty());
        assert_eq!(messages(&logs, one), ["a"]);
        logs.push(task, Level::INFO, "worker", "b".into());
        logs.end(task);
        assert_eq!(messages(&logs, one), ["b"]);
        logs.push(task, Level::INFO, "worker", "too late".into());
        assert!(logs.take(one).is_empty() && logs.tasks().is_empty());
    }

    #[test]
    fn a_task_has_so_many_lines_and_the_last_are_for_what_went_wrong() {
        let logs = TaskLogs::default();
        let [worker, task] = [(); 2].map(|()| Uuid::now_v7());
        logs.begin(task, worker, 10);
        for line in 0..MAX_LINES {
            logs.push(task, Level::INFO, "worker", format!("line {line}"));
        }
        logs.push(task, Level::WARN, "worker", "the cause".into());
        logs.end(task);
        let lines = messages(&logs, worker);
        assert_eq!(lines.len(), 890 + 2);
        assert_eq!(lines[889..], ["line 889", "the cause", "… 110 more lines were dropped"]);
    }
}
