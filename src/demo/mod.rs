//! `entrepot demo`: the main job without a network. A second Entrepot is filled with generated images; they are
//! mirrored from it, pulled back, and every digest is verified.

pub mod images;
mod pull_back;
mod seed;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use indicatif::BinaryBytes;
use rand::distr::{Alphanumeric, SampleString as _};
use registry::Reference;
use tokio_util::sync::CancellationToken;
use url::Url;

pub use pull_back::{Pulled, pull_back};
pub use seed::seed;

use crate::cli::DemoArgs;
use crate::mirror::{MirrorRequest, Upstream, mirror};
use crate::service::{Role, Service, stop_on_signals};
use crate::settings::{Flags, keys};
use crate::{Error, Settings};
use images::GeneratedRepository;

/// Every demo makes the same images, so that a second one on the same data finds nothing new.
const SEED: u64 = 24_817;

/// `entrepot demo`
pub async fn run(settings: &Settings, args: &DemoArgs) -> Result<(), Error> {
    let stop = stop_on_signals()?;
    let service = Service::start(settings, Role::All).await?;
    let repositories = match show(&service, &stop).await {
        Ok(repositories) => repositories,
        Err(error) => {
            service.stop().await?;
            return Err(error);
        }
    };
    if args.once {
        return service.stop().await;
    }
    tell_how_to_pull(&service, &repositories);
    service.run_until(&stop).await
}

/// The main job, from generating to verifying.
async fn show(service: &Service, stop: &CancellationToken) -> Result<Vec<GeneratedRepository>, Error> {
    let started = Instant::now();
    let repositories = tokio::task::spawn_blocking(|| images::demo_repositories(SEED));
    let repositories = repositories.await.map_err(|_| Error::Ended("generator"))?.map_err(Error::Images)?;
    let folder = tempfile::tempdir().map_err(Error::Images)?;
    let source = Service::start(&temporary_settings(folder.path())?, Role::All).await?;
    let outcome = async {
        for repository in &repositories {
            seed(&source.catalog, &source.blobs, repository).await?;
        }
        tell_of_source(&source, &repositories, started);
        mirror_all(service, &source, &repositories, stop).await
    };
    let outcome = outcome.await;
    source.stop().await?;
    outcome?;
    pull_all(service, &repositories).await?;
    Ok(repositories)
}

/// A second Entrepot, on a free port of this machine, that nobody can log in to.
fn temporary_settings(folder: &Path) -> Result<Settings, Error> {
    let values = BTreeMap::from([
        (keys::DATA_DIR.name, folder.join("data").display().to_string()),
        (keys::LISTEN.name, "127.0.0.1:0".to_owned()),
    ]);
    let password = Alphanumeric.sample_string(&mut rand::rng(), 24);
    let environment = |name: &str| (name == keys::ADMIN_PASSWORD.variable).then(|| password.clone().into());
    Ok(Settings::read(Flags { values, config: None }, &environment)?)
}

fn tell_of_source(source: &Service, repositories: &[GeneratedRepository], started: Instant) {
    println!(
        "1. Filled a second, temporary Entrepot on {} with generated images in {:.1} s:",
        source.place.url(),
        started.elapsed().as_secs_f64()
    );
    for repository in repositories {
        println!(
            "   {}: {} tags, {} manifests, {} blobs of {} in all",
            repository.name,
            repository.tags.len(),
            repository.manifests.len(),
            repository.blobs.len(),
            BinaryBytes(repository.blob_bytes())
        );
    }
}

async fn mirror_all(
    service: &Service,
    source: &Service,
    repositories: &[GeneratedRepository],
    stop: &CancellationToken,
) -> Result<(), Error> {
    println!("2. Mirrored it:");
    for repository in repositories {
        let upstream = Upstream { url: source.place.local_url(), repository: repository.name.clone() };
        // The temporary registry has another port each time.
        let request = MirrorRequest { replace_upstream: true, ..MirrorRequest::everything(upstream) };
        println!("   {}", mirror(service, &request, stop).await?.sentence());
    }
    Ok(())
}

async fn pull_all(service: &Service, repositories: &[GeneratedRepository]) -> Result<(), Error> {
    println!("3. Pulled everything back from {} and verified every digest:", service.place.local_url());
    let url: Url = service.place.local_url().parse().expect("an address makes a URL");
    for repository in repositories {
        let started = Instant::now();
        let pulled = pull_back(&url, repository).await?;
        println!(
            "   {}: {} manifests and {} blobs, {}, all as they were put in, in {:.1} s",
            repository.name,
            pulled.manifests,
            pulled.blobs,
            BinaryBytes(pulled.bytes),
            started.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

fn tell_how_to_pull(service: &Service, repositories: &[GeneratedRepository]) {
    println!("Serving on {}; end with Ctrl-C. Pull one yourself:", service.place.url());
    let latest = Reference::Tag("latest".parse().expect("it is a tag"));
    for repository in repositories {
        println!("  {}", service.place.pull_command(&repository.name, &latest));
    }
}
