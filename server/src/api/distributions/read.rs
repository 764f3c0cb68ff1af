//! Reads what a body says about a distribution.

use registry::RepositoryName;
use registry::href::{Kind, VersionName};
use storage::{DistributionChanges, VersionRef};

use crate::AppState;
use crate::api::error::ApiError;
use crate::api::fields::Fields;
use crate::telemetry::CorrelationId;

pub(super) async fn read(
    state: &AppState,
    cid: &CorrelationId,
    mut fields: Fields,
) -> Result<DistributionChanges, ApiError> {
    let version = match fields.nullable_version("repository_version") {
        Some(Some(VersionName::Id(id))) => {
            let found = state.catalog.find_version_by_id(id).await;
            let found = found.map_err(|error| ApiError::from_storage(error, cid))?;
            if found.is_none() {
                fields.refuse("repository_version", "Invalid hyperlink - Object does not exist.");
            }
            found.map(|version| Some(VersionRef { repository: version.repository, number: version.number }))
        }
        Some(Some(VersionName::Number { repository, number })) => {
            Some(Some(VersionRef { repository, number }))
        }
        Some(Some(VersionName::Latest(_)) | None) => Some(None),
        None => None,
    };
    let changes = DistributionChanges {
        name: fields.name("name"),
        base_path: base_path(&mut fields),
        labels: fields.labels("pulp_labels"),
        repository: fields.nullable_href("repository", Kind::Repository),
        version,
        private: fields.boolean("private"),
        description: fields.nullable_text("description"),
        hidden: fields.boolean("hidden"),
    };
    if changes.repository.flatten().is_some() && changes.version.flatten().is_some() {
        fields.refuse(
            "non_field_errors",
            "Only one of the attributes 'repository' and 'repository_version' may be used simultaneously.",
        );
    }
    fields
        .only_null("content_guard", "Content guards are not available yet: use private to require a login.");
    fields.finish()?;
    Ok(changes)
}

fn base_path(fields: &mut Fields) -> Option<String> {
    let text = fields.text("base_path")?;
    if let Err(error) = text.parse::<RepositoryName>() {
        let canonical =
            !text.starts_with('/') && !text.ends_with('/') && !text.contains("//") && !text.contains("..");
        let message = if canonical {
            error.to_string()
        } else {
            "Relative path is not in canonical form. Bad Path".to_owned()
        };
        fields.refuse("base_path", message);
        return None;
    }
    Some(text)
}
