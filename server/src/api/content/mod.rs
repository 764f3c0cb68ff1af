//! `/content/container/`

pub(crate) mod blobs;
pub(crate) mod manifests;
pub(crate) mod tags;

use openapi::Moment;
use openapi::objects::{ContentResponse, Labels};
use registry::href::Kind;
use storage::AnyContent;

/// Content of whatever kind as the API shows it.
pub(crate) fn show(content: AnyContent) -> ContentResponse {
    let artifact = content.blob.map(|digest| (digest.into(), Kind::Artifact.href(content.id)));
    ContentResponse {
        pulp_href: content.kind.href(content.id),
        prn: content.kind.prn(content.id),
        pulp_created: Moment(content.created),
        pulp_last_updated: Moment(content.created),
        pulp_labels: content.pulp_labels,
        vuln_report: None,
        artifacts: artifact.into_iter().collect::<Labels>(),
    }
}
