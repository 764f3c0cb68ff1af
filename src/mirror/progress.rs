//! How far a sync is: a bar on a terminal, a line a second otherwise. Both on stderr.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{BinaryBytes, ProgressBar, ProgressStyle};
use registry::task::{ProgressReport, TaskState};
use storage::Task;
use worker::codes;

const LINE_PERIOD: Duration = Duration::from_secs(1);
const BAR: &str = "{spinner} {prefix}  {msg}  [{bar:24}] {binary_bytes}/{binary_total_bytes}  \
                   {binary_bytes_per_sec}  {eta} left";
const WAITING: &str = "{spinner} {prefix}  {msg}";

/// Shows how far a sync is.
pub(super) struct Display {
    name: String,
    bar: Option<ProgressBar>,
    /// What was said last, and when, so that nothing is said twice.
    line: String,
    line_at: Instant,
    started: Instant,
    told_failures: i32,
}

/// What the reports of a task say.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) tags: (i64, Option<i64>),
    pub(super) manifests: i64,
    pub(super) blobs: (i64, Option<i64>),
    pub(super) bytes: (u64, u64),
}

impl Snapshot {
    pub(super) fn of(reports: &[ProgressReport]) -> Self {
        let find = |code| {
            let report = reports.iter().find(|report| report.code == code);
            report.map_or((0, None), |report| (report.done, report.total))
        };
        let (bytes, all_bytes) = find(codes::BYTES);
        let size = |number: i64| u64::try_from(number).unwrap_or(0);
        Self {
            tags: find(codes::TAGS),
            manifests: find(codes::MANIFESTS).0,
            blobs: find(codes::BLOBS),
            bytes: (size(bytes), size(all_bytes.unwrap_or(bytes))),
        }
    }

    fn counts(&self) -> String {
        format!("tags {}, blobs {}", of(self.tags), of(self.blobs))
    }

    /// The line for where there is no terminal.
    fn line(&self, elapsed: Duration) -> String {
        let (done, total) = self.bytes;
        let line = format!("{}, {} of {}", self.counts(), BinaryBytes(done), BinaryBytes(total));
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = done.saturating_mul(1000) / millis;
        match total.saturating_sub(done).checked_div(rate) {
            Some(left) => format!("{line}, {}/s, {left} s left", BinaryBytes(rate)),
            None => line,
        }
    }
}

fn of((done, total): (i64, Option<i64>)) -> String {
    total.map_or_else(|| done.to_string(), |total| format!("{done}/{total}"))
}

impl Display {
    pub(super) fn new(name: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0).with_style(style(WAITING)).with_prefix(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        let now = Instant::now();
        Self { name: name.to_owned(), bar, line: String::new(), line_at: now, started: now, told_failures: 0 }
    }

    pub(super) fn show(&mut self, task: &Task) {
        self.tell_of_retry(task);
        let snapshot = Snapshot::of(&task.progress);
        let beginning = match task.state {
            TaskState::Waiting if task.error.is_some() => Some("waiting to try again"),
            TaskState::Waiting => Some("waiting for its turn"),
            _ if snapshot.tags == (0, Some(0)) || snapshot == Snapshot::default() => {
                Some("asking what there is")
            }
            _ => None,
        };
        match (&self.bar, beginning) {
            (Some(bar), Some(text)) => {
                bar.set_style(style(WAITING));
                bar.set_message(text);
            }
            (Some(bar), None) => {
                bar.set_style(style(if snapshot.bytes.1 > 0 { BAR } else { WAITING }));
                bar.set_message(snapshot.counts());
                bar.set_length(snapshot.bytes.1);
                bar.set_position(snapshot.bytes.0);
            }
            (None, Some(text)) => self.say(text.to_owned()),
            (None, None) => self.say(snapshot.line(self.started.elapsed())),
        }
    }

    /// A failure that may pass by itself is tried again: people should know what they wait for.
    fn tell_of_retry(&mut self, task: &Task) {
        if let (TaskState::Waiting, Some(error)) = (task.state, &task.error)
            && task.failures > self.told_failures
        {
            self.told_failures = task.failures;
            self.print(&format!(
                "{}: attempt {} failed, trying again soon: {}",
                self.name, task.failures, error.description
            ));
        }
    }

    /// At most one line a second, and none twice.
    fn say(&mut self, line: String) {
        if line != self.line && (self.line.is_empty() || self.line_at.elapsed() >= LINE_PERIOD) {
            eprintln!("{}: {line}", self.name);
            self.line = line;
            self.line_at = Instant::now();
        }
    }

    fn print(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Removes the bar and tells what was left out.
    pub(super) fn finish(&self, task: &Task) {
        self.clear();
        let left_out = [codes::SKIPPED_TAGS, codes::SKIPPED_FOREIGN_LAYERS];
        for report in task.progress.iter().filter(|report| left_out.contains(&report.code.as_str())) {
            eprintln!("{}: {} ({})", self.name, report.message, report.done);
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("the templates of this file are valid");
    style.progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(code: &str, done: i64, total: Option<i64>) -> ProgressReport {
        let state = TaskState::Running;
        ProgressReport { message: String::new(), code: code.to_owned(), state, total, done, suffix: None }
    }

    #[test]
    fn lines_tell_counts_rate_and_time() {
        let snapshot = Snapshot::of(&[
            report(codes::TAGS, 2, Some(3)),
            report(codes::BLOBS, 4, None),
            report(codes::BYTES, 2 << 20, Some(10 << 20)),
        ]);
        let line = snapshot.line(Duration::from_secs(2));
        assert_eq!(line, "tags 2/3, blobs 4, 2.00 MiB of 10.00 MiB, 1.00 MiB/s, 8 s left");
    }

    #[test]
    fn nothing_known_is_no_rate() {
        assert_eq!(Snapshot::of(&[]).line(Duration::ZERO), "tags 0, blobs 0, 0 B of 0 B");
    }
}
