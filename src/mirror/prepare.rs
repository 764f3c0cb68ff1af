//! Makes or reuses the repository, the remote and the distribution, and submits the sync: all or nothing.

use registry::task::{Reservation, ResourceKind, TaskState, Work};
use storage::{
    Catalog, Distribution, Filter, FilterValue, ListQuery, NewDistribution, NewRemote, NewRepository,
    NewTask, Op, Remote, RemoteChanges, RemoteSecrets, Repository, RepositoryChanges, StorageError, Task, Tx,
};
use uuid::Uuid;

use super::{MirrorRequest, Upstream};
use crate::Error;

/// What the sync works on.
pub(super) struct Prepared {
    pub(super) repository: Uuid,
    pub(super) task: Uuid,
    /// The newest version before the sync.
    pub(super) base: i64,
    /// What was not there before, in the order in which it can go again.
    made: Vec<(ResourceKind, Uuid)>,
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
    let interrupted = match &held.repository {
        Some(repository) => find_unfinished_sync(catalog, repository.id).await?,
        None => None,
    };
    let mut tx = catalog.begin().await?;
    let mut made = Vec::new();
    let base = held.repository.as_ref().map_or(0, |repository| repository.latest_version);
    let was_there = (held.repository.is_some(), held.remote.is_some());
    let remote = write_remote(&tx, request, held.remote).await?;
    let repository = write_repository(&tx, request, held.repository, remote.id).await?;
    warn_of_publicity(request, held.distribution.as_ref());
    if held.distribution.is_none() {
        let id = Uuid::now_v7();
        let created = tx.create_distribution(id, distribution(request, repository)).await;
        created.map_err(|error| name_taken(request, error))?;
        made.push((ResourceKind::Distribution, id));
    }
    if !was_there.0 {
        made.push((ResourceKind::Repository, repository));
    }
    if !was_there.1 {
        made.push((ResourceKind::Remote, remote.id));
    }
    let work = Work::SyncRepository { repository, remote: remote.id, mirror: request.mirror };
    let task = match interrupted {
        Some(task) if task.work == work && !remote.is_changed => {
            eprintln!("{}: an earlier sync was interrupted; it is taken up again", request.upstream);
            task.id
        }
        _ => tx.submit(sync(work, repository, remote.id)).await?,
    };
    tx.commit().await?;
    Ok(Prepared { repository, task, base, made })
}

impl Prepared {
    /// Deletes what was made for a sync that failed: a mistyped name must not leave empty repositories behind.
    /// Blobs that arrived stay.
    pub(super) async fn undo(self, catalog: &Catalog) -> Result<(), Error> {
        let tx = catalog.begin().await?;
        for (kind, id) in self.made {
            tx.delete_resource(kind, id).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// What needs credentials upstream was hardly meant for everybody.
fn warn_of_publicity(request: &MirrorRequest, held: Option<&Distribution>) {
    let is_private = held.map_or(request.private, |distribution| distribution.private);
    if request.credentials.is_some() && !is_private {
        let remedy = if held.is_some() {
            "make its distribution private by the API"
        } else {
            "with --private only those who log in can"
        };
        eprintln!("{}: everybody who reaches this service can pull it; {remedy}", request.name);
    } else if request.private && !is_private {
        eprintln!(
            "{}: its distribution is there already and stays public, in spite of --private",
            request.name
        );
    }
}

/// The newest sync of the repository that has not ended: this process has only just started, so it is left over from
/// one that was killed.
async fn find_unfinished_sync(catalog: &Catalog, wanted: Uuid) -> Result<Option<Task>, Error> {
    let states = [TaskState::Waiting, TaskState::Running].map(|state| state.as_str().to_owned());
    let value = FilterValue::Texts(states.to_vec());
    let filter = Some(Filter::Field { field: "state", op: Op::In, value });
    let tasks = catalog.list_tasks(&ListQuery { filter, ..ListQuery::default() }).await?;
    Ok(tasks
        .items
        .into_iter()
        .find(|task| matches!(task.work, Work::SyncRepository { repository, .. } if repository == wanted)))
}

fn sync(work: Work, repository: Uuid, remote: Uuid) -> NewTask {
    let reservations = Reservation::of_sync(repository, remote);
    NewTask { correlation_id: Uuid::now_v7().simple().to_string(), ..NewTask::new(work, reservations) }
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

/// A remote, and whether it was not so before.
struct Written {
    id: Uuid,
    is_changed: bool,
}

/// The filters are those of this request: a remote that is there gets them, too.
async fn write_remote(tx: &Tx, request: &MirrorRequest, held: Option<Remote>) -> Result<Written, Error> {
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
        return Ok(Written { id: tx.create_remote(new).await?.id, is_changed: true });
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
    let is_changed = !changes.is_noop(&remote);
    if is_changed {
        tx.update_remote(remote.id, changes).await?;
    }
    Ok(Written { id: remote.id, is_changed })
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
        private: request.private,
        description: None,
        hidden: false,
    }
}

/// A path that overlaps another, or a name that another distribution has.
fn name_taken(request: &MirrorRequest, error: StorageError) -> Error {
    match error {
        StorageError::Invalid { message, .. } => {
            let reason = format!("\"{}\"", message.trim_end_matches('.'));
            Error::NameTaken { name: request.name.clone(), reason }
        }
        other => other.into(),
    }
}
