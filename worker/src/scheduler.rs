//! Fires schedules. Every process of an installation looks; the catalog sees to it that each fire happens once.

use std::time::Duration;

use registry::chain;
use storage::{Catalog, FireReport};
use tokio_util::sync::CancellationToken;

/// How long at most until the next look: another process may have made or changed a schedule.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long at least: what is due and still there is being fired by another process.
const PAUSE: Duration = Duration::from_millis(20);

/// Fires what is due, at the moment at which it is, until `shutdown` is canceled. Failures are logged and tried again.
///
/// A worker does this by itself. Servers do it, too: fires then don't wait for workers to be there.
pub async fn fire_schedules(catalog: Catalog, shutdown: CancellationToken) {
    tokio::select! {
        // Whatever it is at is undone, and done by whoever looks next.
        () = shutdown.cancelled() => {}
        () = fire_for_ever(&catalog) => {}
    }
}

async fn fire_for_ever(catalog: &Catalog) {
    loop {
        let pause = match catalog.fire_due_schedules().await {
            Ok(report) => {
                tell(&report);
                report.next_due.map_or(LOOK_EVERY, |due| due.since(catalog.now()).clamp(PAUSE, LOOK_EVERY))
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), "schedules could not be fired; trying again");
                LOOK_EVERY
            }
        };
        tokio::time::sleep(pause).await;
    }
}

fn tell(report: &FireReport) {
    if report.missed > 0 {
        tracing::warn!(missed = report.missed, "schedules had fires that nobody was there for");
    }
    if report.started + report.skipped > 0 {
        tracing::debug!(started = report.started, skipped = report.skipped, "schedules fired");
    }
}
