//! Telling the catalog how far a task is.

use std::sync::{Mutex, PoisonError};

use registry::task::ProgressReport;
use storage::{Catalog, Fence, StorageError};

/// Where a job's progress goes. Remembers what was told last, so that nothing is written twice. The catalog itself
/// ends the reports of a task that ends.
pub(crate) struct Reports {
    catalog: Catalog,
    fence: Fence,
    last: Mutex<Vec<ProgressReport>>,
}

impl Reports {
    pub(crate) fn new(catalog: Catalog, fence: Fence) -> Self {
        Self { catalog, fence, last: Mutex::default() }
    }

    /// Replaces the task's reports, unless nothing is new. A database that is away is not worth failing for: the
    /// next report says it all again.
    pub(crate) async fn post(&self, reports: Vec<ProgressReport>) -> Result<(), StorageError> {
        if *self.last.lock().unwrap_or_else(PoisonError::into_inner) == reports {
            return Ok(());
        }
        match self.catalog.report_progress(&self.fence, &reports).await {
            Ok(()) => {
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = reports;
                Ok(())
            }
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "the progress of a task could not be written");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
