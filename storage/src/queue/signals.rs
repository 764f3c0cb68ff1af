//! Hints within the process, so that nobody has to poll for what happened here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Waker;

use futures::task::AtomicWaker;
use tokio::sync::watch;

/// Wakes workers when jobs were enqueued, and those who wait for anything when anything was committed.
pub(crate) struct Signals {
    changes: watch::Sender<u64>,
    cancels: watch::Sender<u64>,
    doorbells: Mutex<Vec<Weak<Doorbell>>>,
}

impl Default for Signals {
    fn default() -> Self {
        Self { changes: watch::Sender::new(0), cancels: watch::Sender::new(0), doorbells: Mutex::default() }
    }
}

impl Signals {
    pub(crate) fn after_commit(&self, dispatched: bool) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
        if dispatched {
            self.ring();
        }
    }

    /// Wakes every worker of this process.
    pub(crate) fn ring(&self) {
        let mut doorbells = self.doorbells.lock().unwrap_or_else(PoisonError::into_inner);
        doorbells.retain(|doorbell| doorbell.upgrade().inspect(|doorbell| doorbell.ring()).is_some());
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

    pub(crate) fn doorbell(&self) -> Arc<Doorbell> {
        let doorbell = Arc::new(Doorbell::default());
        self.doorbells.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&doorbell));
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
