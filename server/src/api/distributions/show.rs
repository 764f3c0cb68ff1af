//! A distribution as the API shows it.

use openapi::Moment;
use openapi::objects::DistributionResponse;
use registry::href::{Kind, version_href};
use storage::Distribution;

/// `host` is what clients put before the name when they pull.
pub(crate) fn show(distribution: Distribution, host: &str) -> DistributionResponse {
    DistributionResponse {
        registry_path: format!("{host}/{}", distribution.base_path),
        base_path: distribution.base_path.into(),
        no_content_change_since: None,
        hidden: distribution.hidden,
        prn: Kind::Distribution.prn(distribution.id),
        pulp_href: Kind::Distribution.href(distribution.id),
        content_guard_prn: None,
        repository_version: distribution
            .version
            .map(|version| version_href(version.repository, version.number)),
        pulp_labels: distribution.labels,
        pulp_created: Moment(distribution.created),
        name: distribution.name,
        content_guard: None,
        repository: distribution.repository.map(|id| Kind::Repository.href(id)),
        pulp_last_updated: Moment(distribution.updated),
        remote: None,
        namespace: None,
        private: distribution.private,
        description: distribution.description,
    }
}
