//! The queue: how tasks move from state to state, and how apalis delivers them.
//!
//! The table `task` is the truth; an apalis job carries `{task, dispatch_no}` and nothing else. A task is given to
//! apalis only when its resources are free, so that a task that waits holds no worker. Every step that a worker
//! makes names the task, the dispatch number and the worker (a [`Fence`]): a worker that lost its task changes
//! nothing.
//!
//! ```text
//! waiting ── resources free ──▶ queued ── a worker claims ──▶ running ──▶ completed | failed
//!    ▲                            │                              │  └─ asked to end ─▶ canceling ─▶ canceled
//!    └──── tried again later, handed back, or its worker died ◀──┘
//! ```

mod backend;
mod census;
mod claim;
mod dispatch;
mod enqueue;
mod lease;
mod metrics;
mod reconcile;
mod signals;

use registry::task::TaskError;
use uuid::Uuid;

pub use backend::{Job, JobBackend, JobQueue, WakeStrategy};
pub use census::{QueueCensus, TaskCount};
pub(crate) use metrics::Happening;
pub use metrics::QueueMetrics;
pub(crate) use signals::Signals;

use crate::{CreatedResource, Task};
pub use lease::{Heartbeat, WorkerNode};
pub use reconcile::ReconcileReport;

/// The states in which a task is under way: with apalis, or with a worker.
pub(crate) const ACTIVE: [&str; 3] = ["queued", "running", "canceling"];

/// Proof of owning a task. It stops being one when the task is dispatched again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// The task.
    pub task: Uuid,
    /// Which dispatch of the task this is.
    pub dispatch_no: i64,
    /// The worker that claimed it.
    pub worker: Uuid,
}

/// How a task ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It did what it had to.
    Completed {
        /// What it made.
        created_resources: Vec<CreatedResource>,
        /// What it gave.
        result: Option<serde_json::Value>,
    },
    /// It could not.
    Failed(TaskError),
    /// It was asked to end.
    Canceled,
}

/// What asking a task to end did.
#[derive(Debug, Clone, PartialEq)]
pub enum CancelOutcome {
    /// It was not running, and has ended.
    Canceled(Task),
    /// It is running; its worker will end it.
    Canceling(Task),
    /// It had ended before.
    AlreadyFinal(Task),
}
