//! Everything that would change content. A mirror is never a push target; other pushes are not there yet.

use poem::Response;
use registry::RepositoryName;

use super::V2Error;
use super::auth::Visit;

/// Says why not, but only to those who may: others get a challenge first.
pub(super) async fn refuse(
    visit: &Visit<'_>,
    name: &RepositoryName,
    actions: &[&str],
) -> Result<Response, V2Error> {
    visit.authorise_change(name, actions).await?;
    match visit.state.catalog.find_served(name).await? {
        Some(served) if served.is_mirror => Err(V2Error::MirrorIsNoPushTarget(name.clone())),
        _ => Err(V2Error::PushUnsupported(name.clone())),
    }
}
