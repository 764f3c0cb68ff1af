//! What a task made, as the API names and shows it.

use registry::href::{API_ROOT, Kind, version_href, version_prn};
use serde_json::{Map, Value, json};
use storage::{Counts, CreatedResource, Version};
use uuid::Uuid;

/// A new version, as `created_resources` names it.
pub(crate) fn version(version: &Version) -> CreatedResource {
    CreatedResource { href: version_href(version.repository, version.number), prn: version_prn(version.id) }
}

/// A new distribution, as `created_resources` names it.
pub(crate) fn distribution(id: Uuid) -> CreatedResource {
    CreatedResource { href: Kind::Distribution.href(id), prn: Kind::Distribution.prn(id) }
}

/// A new artifact, as `created_resources` names it.
pub(crate) fn artifact(id: Uuid) -> CreatedResource {
    CreatedResource { href: Kind::Artifact.href(id), prn: Kind::Artifact.prn(id) }
}

/// A new version, as the `result` of the task that made it shows it.
pub(crate) fn version_result(version: &Version) -> Value {
    let href = version_href(version.repository, version.number);
    let prn = version_prn(version.id);
    let counts = |counts: &Counts, filter: &str| {
        let kinds =
            [(Kind::Blob, counts.blobs), (Kind::Manifest, counts.manifests), (Kind::Tag, counts.tags)];
        kinds
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(kind, count)| {
                let href = format!("{API_ROOT}{}?{filter}={href}", kind.collection());
                (kind.model().to_owned(), json!({"count": count, "href": href}))
            })
            .collect::<Map<_, _>>()
    };
    json!({
        "prn": prn,
        "number": version.number,
        "pulp_href": href,
        "repository": Kind::Repository.href(version.repository),
        "vuln_report": format!("{API_ROOT}vuln_report/?repo_versions={prn}"),
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
