//! Keeping the lease: the worker shows every second that it lives, and ends its own tasks when it cannot.
//!
//! Others take a worker's tasks over once its lease has run out. A worker that cannot reach the database, or that
//! was frozen, must have stopped by then: its watchdog ends its tasks after two thirds of the lease.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use storage::{Catalog, StorageError};
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use crate::WorkerConfig;
use crate::running::Running;
use crate::stop::StopReason;
use registry::chain;

/// This worker's entry in the catalog. A worker whose lease has run out enters itself again, as another one.
pub(crate) struct Lease {
    catalog: Catalog,
    name: String,
    state: Mutex<State>,
}

struct State {
    worker: Uuid,
    renewed: Instant,
}

impl Lease {
    pub(crate) async fn register(catalog: Catalog, name: &str) -> Result<Self, StorageError> {
        let asked = Instant::now();
        let worker = catalog.register_worker(name).await?;
        Ok(Self { catalog, name: name.to_owned(), state: Mutex::new(State { worker, renewed: asked }) })
    }

    pub(crate) fn worker(&self) -> Uuid {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).worker
    }

    /// Renews the lease every `config.heartbeat` and ends the tasks that were asked to end.
    pub(crate) async fn keep(&self, config: &WorkerConfig, running: &Running) {
        let mut ticks = ticks(config.heartbeat);
        let mut cancel_requests = self.catalog.cancel_requests();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                // It never ends: the catalog that sends it is here.
                _ = cancel_requests.changed() => {}
            }
            // What was asked before the answer came is what the lease is good from.
            let asked = Instant::now();
            match tokio::time::timeout(config.lease, self.beat(running)).await {
                Ok(Ok(worker)) => self.renewed(worker, asked),
                Ok(Err(error)) => tracing::warn!(error = chain(&error), "the worker's lease was not renewed"),
                Err(_) => tracing::warn!("the worker's lease was not renewed: the database does not answer"),
            }
        }
    }

    async fn beat(&self, running: &Running) -> Result<Uuid, StorageError> {
        let worker = self.worker();
        let heartbeat = self.catalog.heartbeat(worker).await?;
        for task in heartbeat.cancel_requested {
            running.stop(task, StopReason::Canceled);
        }
        if !heartbeat.lost {
            return Ok(worker);
        }
        tracing::error!(worker.id = %worker, "the worker's lease ran out; its tasks are given up");
        running.stop_all(StopReason::LeaseLost);
        self.catalog.register_worker(&self.name).await
    }

    fn renewed(&self, worker: Uuid, asked: Instant) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State { worker, renewed: asked };
    }

    /// Ends this worker's tasks while the lease is close to its end.
    pub(crate) async fn watch(&self, config: &WorkerConfig, running: &Running) {
        let limit = config.lease.mul_f64(2.0 / 3.0);
        let mut ticks = ticks((limit / 8).max(Duration::from_millis(1)));
        loop {
            ticks.tick().await;
            let silent = self.state.lock().unwrap_or_else(PoisonError::into_inner).renewed.elapsed();
            if silent > limit && running.count() > 0 {
                tracing::error!(
                    silent_ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX),
                    "the worker could not renew its lease in time; its tasks are given up"
                );
                running.stop_all(StopReason::LeaseLost);
            }
        }
    }

    pub(crate) async fn end(&self) -> Result<(), StorageError> {
        self.catalog.unregister_worker(self.worker()).await
    }
}

/// Mends, now and then, what workers that died left behind.
pub(crate) async fn reconcile(catalog: &Catalog, period: Duration) {
    let mut ticks = ticks(period);
    loop {
        ticks.tick().await;
        match catalog.reconcile().await {
            Ok(report) if report.requeued + report.ended > 0 => {
                tracing::warn!(
                    requeued = report.requeued,
                    ended = report.ended,
                    "took over the tasks of workers that died"
                );
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(error = chain(&error), "the queue could not be reconciled"),
        }
    }
}

fn ticks(period: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Both loops of the lease, until they are dropped.
pub(crate) async fn hold(lease: Arc<Lease>, config: WorkerConfig, running: Arc<Running>) {
    tokio::join!(lease.keep(&config, &running), lease.watch(&config, &running));
}

#[cfg(test)]
mod tests {
    use registry::Clock;
    use storage::{CatalogConfig, SecretKey};

    use super::*;

    #[tokio::test]
    async fn the_watchdog_ends_tasks_before_the_lease_does() {
        let folder = tempfile::tempdir().unwrap();
        let config = CatalogConfig {
            database_url: format!("sqlite:{}", folder.path().join("catalog").display()),
            secret_key: SecretKey::generate(),
            max_connections: 1,
            tasks_per_upstream: 4,
        };
        let catalog = Catalog::connect(config, Clock::system()).await.unwrap();
        catalog.migrate().await.unwrap();
        let lease = Lease::register(catalog, "worker").await.unwrap();
        let running = Arc::new(Running::default());
        let entered = running.enter(Uuid::now_v7());
        // Nobody renews.
        let config = WorkerConfig { lease: Duration::from_millis(300), ..WorkerConfig::default() };
        let started = Instant::now();
        let reason = tokio::select! {
            reason = entered.stop().tripped() => reason,
            () = lease.watch(&config, &running) => unreachable!("it watches for ever"),
        };
        assert_eq!(reason, StopReason::LeaseLost);
        let waited = started.elapsed();
        assert!(waited >= Duration::from_millis(150) && waited < config.lease, "{waited:?}");
    }
}
