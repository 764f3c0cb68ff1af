//! Reads what a body says about a distribution.

use registry::RepositoryName;
use registry::href::Kind;
use storage::{DistributionChanges, VersionRef};

use crate::api::error::ApiError;
use crate::api::fields::Fields;

pub(super) fn read(mut fields: Fields) -> Result<DistributionChanges, ApiError> {
    let version = fields.nullable_version("repository_version");
    let changes = DistributionChanges {
        name: fields.name("name"),
        base_path: base_path(&mut fields),
        labels: fields.labels("pulp_labels"),
        repository: fields.nullable_href("repository", Kind::Repository),
        version: version.map(|version| version.map(|(repository, number)| VersionRef { repository, number })),
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
