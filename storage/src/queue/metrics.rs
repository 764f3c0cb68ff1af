//! What this process did with tasks, counted. What the database holds at a moment is [`super::census`]'s.
//!
//! Counted is what was committed: a transaction that is undone leaves no trace.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use registry::task::TaskState;

use crate::Task;

/// From a change of one row to the first sync of a large repository, and from what a client doesn't notice to what
/// waits overnight.
const BUCKETS: [f64; 12] =
    [0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 43_200.0];

/// A kind of tasks, by its name in the API.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    kind: String,
    state: &'static str,
}

/// What this process did with tasks. Clones count together.
#[derive(Debug, Clone)]
pub struct QueueMetrics {
    finished: Family<EndLabels, Counter>,
    waits: Family<KindLabel, Histogram, fn() -> Histogram>,
    runs: Family<KindLabel, Histogram, fn() -> Histogram>,
    retries: Family<KindLabel, Counter>,
    takeovers: Counter,
}

impl Default for QueueMetrics {
    fn default() -> Self {
        Self {
            finished: Family::default(),
            waits: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            runs: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            retries: Family::default(),
            takeovers: Counter::default(),
        }
    }
}

/// Something that a transaction did with a task, to be counted once it is committed.
#[derive(Debug)]
pub(crate) enum Happening {
    /// The task ended.
    Ended {
        /// Its kind.
        kind: String,
        /// How.
        state: TaskState,
        /// From its first start; `None` for one that never started.
        run_micros: Option<i64>,
    },
    /// The task failed, and is tried again.
    Retried {
        /// Its kind.
        kind: String,
    },
    /// The task was taken from a worker that died.
    TakenOver,
}

impl QueueMetrics {
    /// Enters all of them into a registry.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("task");
        registry.register(
            "finished",
            "Tasks whose end this process committed, by kind and final state",
            self.finished.clone(),
        );
        registry.register_with_unit(
            "wait",
            "From the acceptance of a task to its first start on this process",
            Unit::Seconds,
            self.waits.clone(),
        );
        registry.register_with_unit(
            "run",
            "From a task's first start to its end, pauses between attempts included",
            Unit::Seconds,
            self.runs.clone(),
        );
        registry.register(
            "retries",
            "Attempts that failed for a cause that may pass, after which the task is tried again",
            self.retries.clone(),
        );
        registry.register(
            "lease_takeovers",
            "Tasks that this process took from a worker whose lease had run out",
            self.takeovers.clone(),
        );
    }

    /// A worker of this process took a task.
    pub(super) fn count_start(&self, task: &Task) {
        // A second attempt has waited for something else.
        if task.attempt == 1
            && let Some(started) = task.started_at
        {
            let wait = started.since(task.created).as_secs_f64();
            self.waits.get_or_create(&KindLabel { kind: task.name.clone() }).observe(wait);
        }
    }

    pub(crate) fn count(&self, happenings: Vec<Happening>) {
        for happening in happenings {
            match happening {
                Happening::Ended { kind, state, run_micros } => {
                    if let Some(micros) = run_micros {
                        let seconds = std::time::Duration::from_micros(micros.try_into().unwrap_or(0));
                        let label = KindLabel { kind: kind.clone() };
                        self.runs.get_or_create(&label).observe(seconds.as_secs_f64());
                    }
                    self.finished.get_or_create(&EndLabels { kind, state: state.as_str() }).inc();
                }
                Happening::Retried { kind } => {
                    self.retries.get_or_create(&KindLabel { kind }).inc();
                }
                Happening::TakenOver => {
                    self.takeovers.inc();
                }
            }
        }
    }
}
