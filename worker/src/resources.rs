//! The names by which the API knows what a task made. The one place in this crate that knows them.

use serde_json::{Map, Value, json};
use storage::{Counts, CreatedResource, Version};
use uuid::Uuid;

const REPOSITORIES: &str = "/pulp/api/v3/repositories/container/container/";
const DISTRIBUTIONS: &str = "/pulp/api/v3/distributions/container/container/";
const CONTENT: &str = "/pulp/api/v3/content/container/";

fn version_href(repository: Uuid, number: i64) -> String {
    format!("{REPOSITORIES}{repository}/versions/{number}/")
}

fn version_prn(id: Uuid) -> String {
    format!("prn:core.repositoryversion:{id}")
}

/// A new version, as `created_resources` names it.
pub(crate) fn version(version: &Version) -> CreatedResource {
    CreatedResource { href: version_href(version.repository, version.number), prn: version_prn(version.id) }
}

/// A new distribution, as `created_resources` names it.
pub(crate) fn distribution(id: Uuid) -> CreatedResource {
    CreatedResource {
        href: format!("{DISTRIBUTIONS}{id}/"),
        prn: format!("prn:container.containerdistribution:{id}"),
    }
}

/// A new version, as the `result` of the task that made it shows it.
pub(crate) fn version_result(version: &Version) -> Value {
    let href = version_href(version.repository, version.number);
    let prn = version_prn(version.id);
    let counts = |counts: &Counts, filter: &str| {
        let kinds = [
            ("container.blob", "blobs", counts.blobs),
            ("container.manifest", "manifests", counts.manifests),
            ("container.tag", "tags", counts.tags),
        ];
        kinds
            .into_iter()
            .filter(|(.., count)| *count > 0)
            .map(|(kind, folder, count)| {
                let href = format!("{CONTENT}{folder}/?{filter}={href}");
                (kind.to_owned(), json!({"count": count, "href": href}))
            })
            .collect::<Map<_, _>>()
    };
    json!({
        "prn": prn,
        "number": version.number,
        "pulp_href": href,
        "repository": format!("{REPOSITORIES}{}/", version.repository),
        "vuln_report": format!("/pulp/api/v3/vuln_report/?repo_versions={prn}"),
        "base_version": version.base.map(|base| version_href(version.repository, base)),
        "pulp_created": version.created.to_string(),
        "pulp_last_updated": version.updated.to_string(),
        "content_summary": {
            "added": counts(&version.summary.added, "repository_version_added"),
            "removed": counts(&version.summary.removed, "repository_version_removed"),
            "present": counts(&version.summary.present, "repository_version"),
        },
    })
}
