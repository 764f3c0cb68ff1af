//! A repository as the API shows it.

use openapi::Moment;
use openapi::objects::RepositoryResponse;
use registry::href::{Kind, version_href};
use storage::Repository;

pub(crate) fn show(repository: Repository) -> RepositoryResponse {
    let href = Kind::Repository.href(repository.id);
    RepositoryResponse {
        versions_href: format!("{href}versions/"),
        pulp_href: href,
        prn: Kind::Repository.prn(repository.id),
        pulp_created: Moment(repository.created),
        pulp_last_updated: Moment(repository.updated),
        pulp_labels: repository.labels,
        latest_version_href: version_href(repository.id, repository.latest_version),
        name: repository.name,
        description: repository.description,
        retain_repo_versions: repository.retain_repo_versions,
        retain_checkpoints: None,
        remote: repository.remote.map(|id| Kind::Remote.href(id)),
        manifest_signing_service: None,
    }
}
