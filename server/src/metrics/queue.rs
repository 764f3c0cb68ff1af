//! What waits and runs at the moment, read from the database when somebody asks.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use storage::{Catalog, StorageError};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

/// However many ask, the database is asked once in so long.
const GOOD_FOR: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TaskLabels {
    kind: String,
    state: String,
}

/// Gauges of the queue. Every server of a catalog shows the same.
#[derive(Debug, Default)]
pub(crate) struct QueueGauges {
    tasks: Family<TaskLabels, Gauge>,
    depth: Gauge,
    oldest: Gauge<f64, AtomicU64>,
    lag: Gauge<f64, AtomicU64>,
    /// When the gauges were set; held while they are set and read, so that nobody sees half of it.
    set: Mutex<Option<Instant>>,
}

impl QueueGauges {
    /// Enters all of them into a registry.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "tasks",
            "Tasks of all processes that have not ended: waiting for resources or their time, queued for a worker, \
             running, canceling",
            self.tasks.clone(),
        );
        registry.register_with_unit(
            "schedule_lag",
            "How long the schedule is overdue that is overdue longest",
            Unit::Seconds,
            self.lag.clone(),
        );
        let registry = registry.sub_registry_with_prefix("queue");
        registry.register("depth", "Tasks of all processes that no worker has taken yet", self.depth.clone());
        registry.register_with_unit(
            "oldest_wait",
            "How long the task has waited that has waited longest",
            Unit::Seconds,
            self.oldest.clone(),
        );
    }

    /// Sets the gauges, unless that was just done. They stay as they are while the guard lives.
    pub(super) async fn refresh(
        &self,
        catalog: &Catalog,
    ) -> Result<MutexGuard<'_, Option<Instant>>, StorageError> {
        let mut set = self.set.lock().await;
        if set.is_none_or(|set| set.elapsed() >= GOOD_FOR) {
            let census = catalog.take_queue_census().await?;
            // A kind and state that has no task any more has no series, rather than its last number for ever.
            self.tasks.clear();
            for count in &census.counts {
                let labels = TaskLabels { kind: count.kind.clone(), state: count.state.clone() };
                self.tasks.get_or_create(&labels).set(count.tasks);
            }
            self.depth.set(census.depth());
            let now = catalog.now();
            let seconds = |since| now.since(since).as_secs_f64();
            self.oldest.set(census.waiting_since.map_or(0.0, seconds));
            self.lag.set(census.schedule_due.map_or(0.0, seconds));
            *set = Some(Instant::now());
        }
        Ok(set)
    }
}
