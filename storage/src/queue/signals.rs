//! Hints within the process, so that nobody has to poll for what happened here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Waker;

use futures::task::AtomicWaker;
use tokio::sync::watch;

use super::JobQueue;

/// Wakes workers when jobs were enqueued, and those who wait for anything when anything was committed.
pub(crate) struct Signals {
    changes: watch::Sender<u64>,
    cancels: watch::Sender<u64>,
    doorbells: Mutex<Vec<(JobQueue, Weak<Doorbell>)>>,
}

impl Default for Signals {
    fn default() -> Self {
        Self { changes: watch::Sender::new(0), cancels: watch::Sender::new(0), doorbells: Mutex::default() }
    }
}

impl Signals {
    /// `dispatched` are the queues that jobs were given to.
    pub(crate) fn after_commit(&self, dispatched: &[JobQueue]) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
        for queue in dispatched {
            self.ring(*queue);
        }
    }

    /// Wakes every worker of this process that serves a queue. To look costs a query: the others sleep on.
    pub(crate) fn ring(&self, queue: JobQueue) {
        let mut doorbells = self.doorbells.lock().unwrap_or_else(PoisonError::into_inner);
        doorbells.retain(|(served, doorbell)| match doorbell.upgrade() {
            Some(doorbell) if *served == queue => {
                doorbell.ring();
                true
            }
            other => other.is_some(),
        });
    }

    pub(crate) fn cancel_asked(&self) {
        self.cancels.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(crate) fn cancels(&self) -> watch::Receiver<u64> {
        self.cancels.subscribe()
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn doorbell(&self, queue: JobQueue) -> Arc<Doorbell> {
        let doorbell = Arc::new(Doorbell::default());
        let entry = (queue, Arc::downgrade(&doorbell));
        self.doorbells.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        doorbell
    }
}

/// Counts rings, so that none is lost between two looks.
#[derive(Debug, Default)]
pub(crate) struct Doorbell {
    rings: AtomicU64,
    waker: AtomicWaker,
}

impl Doorbell {
    fn ring(&self) {
        self.rings.fetch_add(1, Ordering::Release);
        self.waker.wake();
    }

    /// How often it rang. `waker` is woken by the next ring.
    pub(crate) fn listen(&self, waker: &Waker) -> u64 {
        self.waker.register(waker);
        self.rings.load(Ordering::Acquire)
    }
}
