//! The repository that a push or a deletion under a name is about.

use registry::RepositoryName;
use storage::PushTarget;
use uuid::Uuid;

use super::V2Error;
use super::auth::{Caller, Visit};

/// What is pushed to, and by whom.
pub(super) struct Target {
    pub(super) repository: Uuid,
    pub(super) caller: Caller,
}

/// What pushes ask for. A push looks first what is there already.
const PUSH: [&str; 2] = ["pull", "push"];

/// The repository that takes the push, which is made if nobody has the name.
pub(super) async fn for_push(visit: &Visit<'_>, name: &RepositoryName) -> Result<Target, V2Error> {
    let caller = visit.authorise_change(name, &PUSH).await?;
    let catalog = &visit.state.catalog;
    let known = catalog.find_served(name).await?;
    if let Some(PushTarget::Repository(repository)) = known.as_deref().map(PushTarget::from) {
        return Ok(Target { repository, caller });
    }
    // What keeps others from pushing may have changed a moment ago, in another process.
    let tx = catalog.begin().await?;
    let repository = takes_pushes(tx.make_push_target(name).await?, name)?;
    tx.commit().await?;
    Ok(Target { repository, caller })
}

/// The repository of an upload that has begun.
pub(super) async fn for_upload(visit: &Visit<'_>, name: &RepositoryName) -> Result<Target, V2Error> {
    let caller = visit.authorise_change(name, &PUSH).await?;
    let repository = takes_pushes(look_up(visit, name).await?, name)?;
    Ok(Target { repository, caller })
}

/// The repository that something is deleted from.
pub(super) async fn for_deletion(visit: &Visit<'_>, name: &RepositoryName) -> Result<Target, V2Error> {
    let caller = visit.authorise_change(name, &["delete"]).await?;
    match look_up(visit, name).await? {
        PushTarget::Repository(repository) => Ok(Target { repository, caller }),
        PushTarget::Absent => Err(V2Error::NameUnknown(name.clone())),
        PushTarget::Mirror => Err(V2Error::MirrorKeepsAll(name.clone())),
        PushTarget::Fixed => Err(V2Error::FixedKeepsAll(name.clone())),
    }
}

async fn look_up(visit: &Visit<'_>, name: &RepositoryName) -> Result<PushTarget, V2Error> {
    let catalog = &visit.state.catalog;
    let found = match catalog.find_served(name).await? {
        Some(found) => Some(found),
        None => catalog.find_served_now(name).await?,
    };
    Ok(found.as_deref().map_or(PushTarget::Absent, PushTarget::from))
}

fn takes_pushes(target: PushTarget, name: &RepositoryName) -> Result<Uuid, V2Error> {
    match target {
        PushTarget::Repository(repository) => Ok(repository),
        PushTarget::Absent => Err(V2Error::NameUnknown(name.clone())),
        PushTarget::Mirror => Err(V2Error::MirrorIsNoPushTarget(name.clone())),
        PushTarget::Fixed => Err(V2Error::FixedIsNoPushTarget(name.clone())),
    }
}
