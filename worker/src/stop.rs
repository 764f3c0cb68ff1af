//! Asking a running task to end, and why.

use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;

/// Why a running task has to end before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// Somebody canceled it.
    Canceled,
    /// The worker could not renew its lease: somebody else may have the task by now.
    LeaseLost,
    /// The worker shuts down: the task is handed back.
    Drain,
}

/// The switch that ends one task. The first reason counts.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    token: CancellationToken,
    reason: OnceLock<StopReason>,
}

impl Stop {
    pub(crate) fn trip(&self, reason: StopReason) {
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// Returns once the task has to end.
    pub(crate) async fn tripped(&self) -> StopReason {
        self.token.cancelled().await;
        self.reason.get().copied().unwrap_or(StopReason::LeaseLost)
    }
}
