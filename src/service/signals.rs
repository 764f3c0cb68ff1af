//! SIGTERM and SIGINT: the first asks to stop, the second ends at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::Error;

/// A token that is canceled by the first signal. The second one ends the process: what was under way is then
/// taken up again by the next start.
pub fn stop_on_signals() -> Result<CancellationToken, Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        next(&mut terminate, &mut interrupt).await;
        eprintln!("Stopping: requests finish and tasks are handed back. A second signal ends at once.");
        asked.cancel();
        let kind = next(&mut terminate, &mut interrupt).await;
        std::process::exit(128 + kind.as_raw_value());
    });
    Ok(stop)
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> SignalKind {
    tokio::select! {
        _ = terminate.recv() => SignalKind::terminate(),
        _ = interrupt.recv() => SignalKind::interrupt(),
    }
}
