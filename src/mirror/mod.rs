//! `entrepot mirror`: makes a repository, a remote and a distribution of an image reference, syncs, and serves.

mod follow;
mod prepare;
mod progress;
mod request;
mod summary;

use tokio_util::sync::CancellationToken;

pub use request::{MirrorRequest, Upstream};
pub use summary::Mirrored;

use crate::cli::MirrorArgs;
use crate::service::{Role, Service, stop_on_signals};
use crate::{Error, Settings};

/// `entrepot mirror`
pub async fn run(settings: &Settings, args: MirrorArgs) -> Result<(), Error> {
    let stop = stop_on_signals()?;
    let once = args.once;
    let request = MirrorRequest::from_args(args)?;
    let service = Service::start(settings, Role::All).await?;
    let mirrored = match mirror(&service, &request, &stop).await {
        Ok(mirrored) => mirrored,
        Err(error) => {
            service.stop().await?;
            return Err(error);
        }
    };
    println!("{}", mirrored.sentence());
    if let Some(reference) = mirrored.example(request.reference.as_ref()) {
        let when = if once { " while entrepot serves" } else { "" };
        println!("Pull it{when}:\n  {}", service.place.pull_command(&request.name, &reference));
    }
    if once {
        return service.stop().await;
    }
    println!("Serving on {}; end with Ctrl-C.", service.place.url());
    service.run_until(&stop).await
}

/// Syncs what is asked for on a running service, and shows how far it is. When `stop` comes, the sync is canceled.
pub async fn mirror(
    service: &Service,
    request: &MirrorRequest,
    stop: &CancellationToken,
) -> Result<Mirrored, Error> {
    let prepared = prepare::prepare(&service.catalog, request).await?;
    let started = tokio::time::Instant::now();
    let (repository, base) = (prepared.repository, prepared.base);
    let task = match follow::follow(&service.catalog, request, prepared.task, stop).await {
        Ok(task) => task,
        Err(error @ Error::SyncFailed { .. }) => {
            if let Err(cause) = prepared.undo(&service.catalog).await {
                tracing::warn!(error = %cause, "what was made for the failed sync could not be deleted");
            }
            return Err(error);
        }
        Err(error) => return Err(error),
    };
    Mirrored::read(&service.catalog, request, (repository, base), &task, started.elapsed()).await
}
