//! Makes or reuses the repository, the remote and the distribution, and submits the sync: all or nothing.

use registry::task::{Reservation, Work};
use storage::{
    Catalog, Distribution, NewDistribution, NewRemote, NewRepository, NewTask, Remote, RemoteChanges,
    RemoteSecrets, Repository, RepositoryChanges, StorageError, Tx,
};
use uuid::Uuid;

use super::{MirrorRequest, Upstream};
use crate::Error;

/// What the sync works on.
pub(super) struct Prepared {
    pub(super) repository: Uuid,
    pub(super) task: Uuid,
}

/// What is there already under the name.
struct Held {
    repository: Option<Repository>,
    remote: Option<Remote>,
    distribution: Option<Distribution>,
}

pub(super) async fn prepare(catalog: &Catalog, request: &MirrorRequest) -> Result<Prepared, Error> {
    let name = request.name.as_str();
    let held = Held {
        repository: catalog.find_repository_by_name(name).await?,
        remote: catalog.find_remote_by_name(name).await?,
        distribution: catalog.find_distribution_by_base_path(name).await?,
    };
    held.check(request)?;
    let mut tx = catalog.begin().await?;
    let remote = write_remote(&tx, request, held.remote).await?;
    let repository = write_repository(&tx, request, held.repository, remote).await?;
    if held.distribution.is_none() {
        tx.create_distribution(Uuid::now_v7(), distribution(request, repository))
            .await
            .map_err(|error| name_taken(request, error))?;
    }
    let task = tx
        .submit(NewTask {
            work: Work::SyncRepository { repository, remote, mirror: request.mirror },
            reservations: vec![
                Reservation::exclusive(format!("prn:container.containerrepository:{repository}")),
                Reservation::shared(format!("prn:container.containerremote:{remote}")),
            ],
            created_by: None,
            correlation_id: Uuid::now_v7().simple().to_string(),
        })
        .await?;
    tx.commit().await?;
    Ok(Prepared { repository, task })
}

impl Held {
    /// What is there must be a mirror of the same upstream, and nothing else may be served under the name.
    fn check(&self, request: &MirrorRequest) -> Result<(), Error> {
        let name = || request.name.clone();
        if let Some(repository) = &self.repository
            && repository.synced_at.is_none()
            && repository.latest_version > 0
        {
            return Err(Error::NotAMirror(name()));
        }
        if let Some(remote) = &self.remote
            && !is_same(remote, &request.upstream)
            && !request.replace_upstream
        {
            let held = format!("{} {}", remote.url, remote.upstream_name);
            return Err(Error::OtherUpstream { name: name(), held, wanted: request.upstream.to_string() });
        }
        if let Some(distribution) = &self.distribution
            && (distribution.repository.is_none()
                || distribution.repository != self.repository.as_ref().map(|repository| repository.id))
        {
            let reason = format!("the distribution \"{}\" serves something else there", distribution.name);
            return Err(Error::NameTaken { name: name(), reason });
        }
        Ok(())
    }
}

fn is_same(remote: &Remote, upstream: &Upstream) -> bool {
    remote.url.trim_end_matches('/') == upstream.url && remote.upstream_name == upstream.repository.as_str()
}

/// The filters are those of this request: a remote that is there gets them, too.
async fn write_remote(tx: &Tx, request: &MirrorRequest, held: Option<Remote>) -> Result<Uuid, Error> {
    let filter = |patterns: &[String]| (!patterns.is_empty()).then(|| patterns.to_vec());
    let (includes, excludes) = (filter(&request.includes), filter(&request.excludes));
    let secrets = |held: RemoteSecrets| match request.credentials.clone() {
        Some((username, password)) => RemoteSecrets { username: Some(username), password, ..held },
        None => held,
    };
    let url = request.upstream.url.clone();
    let upstream_name = request.upstream.repository.to_string();
    let Some(remote) = held else {
        let new = NewRemote {
            name: request.name.to_string(),
            url,
            upstream_name,
            tls_validation: request.tls_validation,
            includes,
            excludes,
            secrets: secrets(RemoteSecrets::default()),
            ..NewRemote::default()
        };
        return Ok(tx.create_remote(new).await?.id);
    };
    let changes = RemoteChanges {
        url: Some(url),
        upstream_name: Some(upstream_name),
        tls_validation: Some(request.tls_validation),
        includes: Some(includes),
        excludes: Some(excludes),
        secrets: Some(secrets(remote.secrets.clone())),
        ..RemoteChanges::default()
    };
    if !changes.is_noop(&remote) {
        tx.update_remote(remote.id, changes).await?;
    }
    Ok(remote.id)
}

async fn write_repository(
    tx: &Tx,
    request: &MirrorRequest,
    held: Option<Repository>,
    remote: Uuid,
) -> Result<Uuid, Error> {
    let Some(repository) = held else {
        let new = NewRepository {
            name: request.name.to_string(),
            remote: Some(remote),
            ..NewRepository::default()
        };
        return Ok(tx.create_repository(new).await?.id);
    };
    let changes = RepositoryChanges { remote: Some(Some(remote)), ..RepositoryChanges::default() };
    if !changes.is_noop(&repository) {
        tx.update_repository(repository.id, changes).await?;
    }
    Ok(repository.id)
}

fn distribution(request: &MirrorRequest, repository: Uuid) -> NewDistribution {
    NewDistribution {
        name: request.name.to_string(),
        base_path: request.name.to_string(),
        labels: storage::Labels::new(),
        repository: Some(repository),
        version: None,
        private: false,
        description: None,
        hidden: false,
    }
}

/// A path that overlaps another, or a name that another distribution has.
fn name_taken(request: &MirrorRequest, error: StorageError) -> Error {
    match error {
        StorageError::Invalid { field, message } => {
            let message = message.trim_end_matches('.');
            let reason = format!("{} ({field})", message[..1].to_lowercase() + &message[1..]);
            Error::NameTaken { name: request.name.clone(), reason }
        }
        other => other.into(),
    }
}
