//! The tasks that this worker has at the moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::stop::{Stop, StopReason};

/// The tasks that this worker has at the moment, each with its switch.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<HashMap<Uuid, Arc<Stop>>>);

impl Running {
    /// Lists a task until the guard is dropped.
    pub(crate) fn enter(self: &Arc<Self>, task: Uuid) -> Entered {
        let stop = Arc::new(Stop::default());
        self.tasks().insert(task, Arc::clone(&stop));
        Entered { running: Arc::clone(self), task, stop }
    }

    /// Ends one task, if it is here.
    pub(crate) fn stop(&self, task: Uuid, reason: StopReason) {
        if let Some(stop) = self.tasks().get(&task) {
            stop.trip(reason);
        }
    }

    /// Ends all tasks.
    pub(crate) fn stop_all(&self, reason: StopReason) {
        self.tasks().values().for_each(|stop| stop.trip(reason));
    }

    pub(crate) fn count(&self) -> usize {
        self.tasks().len()
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Stop>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task's place in the list.
pub(crate) struct Entered {
    running: Arc<Running>,
    task: Uuid,
    stop: Arc<Stop>,
}

impl Entered {
    pub(crate) fn stop(&self) -> &Stop {
        &self.stop
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut tasks = self.running.tasks();
        // The same task may have come back in the meantime, under another switch.
        if tasks.get(&self.task).is_some_and(|stop| Arc::ptr_eq(stop, &self.stop)) {
            tasks.remove(&self.task);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_counts_and_leaving_forgets() {
        let running = Arc::new(Running::default());
        let task = Uuid::now_v7();
        let entered = running.enter(task);
        running.stop(task, StopReason::Canceled);
        running.stop_all(StopReason::Drain);
        assert_eq!(entered.stop().tripped().await, StopReason::Canceled);
        let again = running.enter(task);
        drop(entered);
        assert_eq!(running.count(), 1);
        drop(again);
        assert_eq!(running.count(), 0);
    }
}
