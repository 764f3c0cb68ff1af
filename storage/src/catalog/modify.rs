//! Changing what a repository holds: what is asked for, and the version that comes of it.

use std::collections::{HashMap, HashSet};

use registry::href::Kind as Named;
use registry::sync_plan::TagMap;
use registry::{ContentChange, Digest, MediaType, Tag};
use sea_orm::sea_query::JoinType;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::distributions::VersionRef;
use super::membership::{Kind, present_at};
use super::publish::{Members, difference};
use super::sync::{membership_of, read_digest};
use super::versions::{CHUNK, Version};
use super::{Catalog, Tx};
use crate::entity::{content, manifest, repository_content, tag};
use crate::error::{Result, StorageError};

/// What a version gets and loses.
#[derive(Default)]
struct Asked {
    add: Members,
    /// All of it is held.
    remove: Members,
}

impl Catalog {
    /// What each of the pieces of content is that are there.
    pub async fn content_kinds(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Named>> {
        let kinds = kinds_of(self.reader(), ids).await?;
        Ok(kinds.into_iter().map(|(id, kind)| (id, Kind::named(kind))).collect())
    }

    /// The id of the manifest with this digest, if the version holds it.
    pub async fn find_manifest_in(&self, version: VersionRef, digest: &Digest) -> Result<Option<Uuid>> {
        let select = manifest::Entity::find()
            .select_only()
            .column(manifest::Column::Id)
            .join(JoinType::InnerJoin, membership_of::<manifest::Entity>(manifest::Column::Id))
            .filter(manifest::Column::Digest.eq(digest.as_str()))
            .filter(repository_content::Column::RepositoryId.eq(version.repository))
            .filter(present_at(version.number));
        Ok(select.into_tuple().one(self.reader()).await?)
    }

    /// Whether the version has this tag.
    pub async fn has_tag(&self, version: VersionRef, tag: &Tag) -> Result<bool> {
        let held = tags_named(self.reader(), version, &[tag.to_string()]).await?;
        Ok(!held.is_empty())
    }
}

impl Tx {
    /// Publishes what `change` makes of a version of the repository, by default of the latest one; `None` when the
    /// latest one is like that already. Old versions go as the repository's retention says.
    pub async fn modify_content(
        &self,
        repository: Uuid,
        base: Option<i64>,
        change: &ContentChange,
    ) -> Result<Option<Version>> {
        self.keep_content().await?;
        let row = self.get_repository_row(repository).await?;
        let base = VersionRef { repository, number: base.unwrap_or(row.latest_version) };
        self.get_version(repository, base.number).await?;
        let Asked { mut add, remove } = self.asked(base, change).await?;
        let (added, removed) = if base.number == row.latest_version {
            let held = self.present_among(base, add.keys().copied().collect()).await?;
            add.retain(|id, _| !held.contains_key(id));
            (add, remove)
        } else {
            let mut wanted = self.members(repository, base.number).await?;
            wanted.retain(|id, _| !remove.contains_key(id));
            wanted.extend(add);
            let latest = self.members(repository, row.latest_version).await?;
            (difference(&wanted, &latest), difference(&latest, &wanted))
        };
        self.publish_difference(&row, base.number, &added, &removed).await
    }

    async fn asked(&self, base: VersionRef, change: &ContentChange) -> Result<Asked> {
        match change {
            ContentChange::Add { contents } => self.additions(base, contents).await,
            ContentChange::CopyTags { source, number, names } => {
                let source = VersionRef { repository: *source, number: *number };
                let contents = self.tags_of(source, names.as_deref()).await?;
                self.additions(base, &contents).await
            }
            ContentChange::CopyManifests { source, number, digests, media_types } => {
                let source = VersionRef { repository: *source, number: *number };
                let contents = self.manifests_of(source, digests.as_deref(), media_types.as_deref()).await?;
                self.additions(base, &contents).await
            }
            ContentChange::Remove { contents } => {
                Ok(Asked { remove: self.removals(base, contents).await?, ..Asked::default() })
            }
            ContentChange::Clear => {
                let remove = self.members(base.repository, base.number).await?;
                Ok(Asked { remove, ..Asked::default() })
            }
            ContentChange::Tag { tag, manifest } => self.tagging(base, tag, *manifest).await,
            ContentChange::Untag { tag } => {
                let remove = self.tags_named(base, &[tag.to_string()]).await?;
                Ok(Asked { remove, ..Asked::default() })
            }
            ContentChange::Unknown => {
                Err(StorageError::corrupt("change", "only a later release knows what it means"))
            }
        }
    }

    /// The content with everything that it needs. Tags of the same names go.
    async fn additions(&self, base: VersionRef, contents: &[Uuid]) -> Result<Asked> {
        let kinds = self.kinds_of_all(contents).await?;
        let of =
            |kind: Kind| kinds.iter().filter(move |(_, found)| **found == kind.number()).map(|(id, _)| *id);
        let tags = self.tag_rows_of(&of(Kind::Tag).collect::<Vec<_>>()).await?;
        let mut by_name: HashMap<&str, Uuid> = HashMap::new();
        for row in &tags {
            if by_name.insert(&row.name, row.manifest_id).is_some_and(|other| other != row.manifest_id) {
                let message = format!("More than one tag named '{}': name one of them.", row.name);
                return Err(StorageError::invalid("content_units", message));
            }
        }
        let roots: HashSet<Uuid> = of(Kind::Manifest).chain(tags.iter().map(|row| row.manifest_id)).collect();
        let digests = self.digests_of(&roots.into_iter().collect::<Vec<_>>()).await?;
        let mut add = self.reachable(&digests.into_values().collect()).await?.contents;
        let names: Vec<String> = by_name.into_keys().map(str::to_owned).collect();
        let mut remove = self.tags_named(base, &names).await?;
        remove.retain(|id, _| !kinds.contains_key(id));
        add.extend(kinds);
        Ok(Asked { add, remove })
    }

    async fn tagging(&self, base: VersionRef, tag: &Tag, manifest: Uuid) -> Result<Asked> {
        let digest = self.digests_of(&[manifest]).await?.into_values().next();
        let held = self.present_among(base, vec![manifest]).await?;
        let Some(digest) = digest.filter(|_| !held.is_empty()) else {
            let message = "The manifest is no longer in the repository version: add it first.";
            return Err(StorageError::invalid("digest", message));
        };
        let manifest_ids = HashMap::from([(digest.to_string(), manifest)]);
        let add = self.tag_ids(&TagMap::from([(tag.clone(), digest)]), &manifest_ids).await?;
        let mut remove = self.tags_named(base, &[tag.to_string()]).await?;
        remove.retain(|id, _| !add.contains_key(id));
        Ok(Asked { add, remove })
    }

    /// Those of `ids` that a version holds.
    pub(super) async fn present_among(&self, version: VersionRef, ids: Vec<Uuid>) -> Result<Members> {
        let mut present = Members::new();
        for chunk in ids.chunks(CHUNK) {
            let rows: Vec<(Uuid, i32)> = repository_content::Entity::find()
                .select_only()
                .column(repository_content::Column::ContentId)
                .column(repository_content::Column::Kind)
                .filter(repository_content::Column::RepositoryId.eq(version.repository))
                .filter(repository_content::Column::ContentId.is_in(chunk.iter().copied()))
                .filter(present_at(version.number))
                .into_tuple()
                .all(&self.inner)
                .await?;
            present.extend(rows);
        }
        Ok(present)
    }

    /// The rows of those of `ids` that are tags.
    pub(super) async fn tag_rows_of(&self, ids: &[Uuid]) -> Result<Vec<tag::Model>> {
        let mut rows = Vec::new();
        for chunk in ids.chunks(CHUNK) {
            let wanted = tag::Column::Id.is_in(chunk.iter().copied());
            rows.extend(tag::Entity::find().filter(wanted).all(&self.inner).await?);
        }
        Ok(rows)
    }

    /// What each piece of content is; all have to be there.
    async fn kinds_of_all(&self, ids: &[Uuid]) -> Result<Members> {
        let kinds = kinds_of(&self.inner, ids).await?;
        match ids.iter().find(|id| !kinds.contains_key(*id)) {
            None => Ok(kinds),
            Some(id) => {
                let message = format!("The content with the id {id} is no longer there.");
                Err(StorageError::invalid("content_units", message))
            }
        }
    }

    async fn digests_of(&self, manifests: &[Uuid]) -> Result<HashMap<Uuid, Digest>> {
        let mut digests = HashMap::new();
        for chunk in manifests.chunks(CHUNK) {
            let rows: Vec<(Uuid, String)> = manifest::Entity::find()
                .select_only()
                .column(manifest::Column::Id)
                .column(manifest::Column::Digest)
                .filter(manifest::Column::Id.is_in(chunk.iter().copied()))
                .into_tuple()
                .all(&self.inner)
                .await?;
            for (id, digest) in rows {
                digests.insert(id, read_digest(&digest)?);
            }
        }
        Ok(digests)
    }

    /// A version's tags with these names.
    async fn tags_named(&self, version: VersionRef, names: &[String]) -> Result<Members> {
        tags_named(&self.inner, version, names).await
    }

    /// The ids of a version's tags: of those with these names, or of all.
    async fn tags_of(&self, version: VersionRef, names: Option<&[Tag]>) -> Result<Vec<Uuid>> {
        self.get_version(version.repository, version.number).await?;
        if let Some(names) = names {
            let texts: Vec<String> = names.iter().map(Tag::to_string).collect();
            let found: Vec<Uuid> = self.tags_named(version, &texts).await?.into_keys().collect();
            if found.len() < names.len() {
                tracing::info!(
                    asked = names.len(),
                    found = found.len(),
                    "tags that the source lacks are left out"
                );
            }
            return Ok(found);
        }
        let rows = repository_content::Entity::find()
            .select_only()
            .column(repository_content::Column::ContentId)
            .filter(repository_content::Column::RepositoryId.eq(version.repository))
            .filter(repository_content::Column::Kind.eq(Kind::Tag.number()))
            .filter(present_at(version.number));
        Ok(rows.into_tuple().all(&self.inner).await?)
    }

    /// The ids of a version's manifests with these digests, of these types.
    async fn manifests_of(
        &self,
        version: VersionRef,
        digests: Option<&[Digest]>,
        media_types: Option<&[MediaType]>,
    ) -> Result<Vec<Uuid>> {
        self.get_version(version.repository, version.number).await?;
        let mut select = manifest::Entity::find()
            .select_only()
            .column(manifest::Column::Id)
            .join(JoinType::InnerJoin, membership_of::<manifest::Entity>(manifest::Column::Id))
            .filter(repository_content::Column::RepositoryId.eq(version.repository))
            .filter(present_at(version.number));
        if let Some(types) = media_types {
            select = select.filter(manifest::Column::MediaType.is_in(types.iter().map(MediaType::as_str)));
        }
        let Some(digests) = digests else { return Ok(select.into_tuple().all(&self.inner).await?) };
        let mut found = Vec::new();
        for chunk in digests.chunks(CHUNK) {
            let texts = chunk.iter().map(Digest::as_str);
            let some = select.clone().filter(manifest::Column::Digest.is_in(texts));
            found.extend(some.into_tuple::<Uuid>().all(&self.inner).await?);
        }
        if found.len() < digests.len() {
            let (asked, found) = (digests.len(), found.len());
            tracing::info!(
                asked,
                found,
                "manifests that the source lacks, or that are of other types, are left out"
            );
        }
        Ok(found)
    }
}

async fn kinds_of(connection: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Members> {
    let mut kinds = Members::new();
    for chunk in ids.chunks(CHUNK) {
        let rows: Vec<(Uuid, i32)> = content::Entity::find()
            .select_only()
            .column(content::Column::Id)
            .column(content::Column::Kind)
            .filter(content::Column::Id.is_in(chunk.iter().copied()))
            .into_tuple()
            .all(connection)
            .await?;
        kinds.extend(rows);
    }
    Ok(kinds)
}

async fn tags_named(
    connection: &impl ConnectionTrait,
    version: VersionRef,
    names: &[String],
) -> Result<Members> {
    let mut tags = Members::new();
    for chunk in names.chunks(CHUNK) {
        let rows: Vec<Uuid> = tag::Entity::find()
            .select_only()
            .column(tag::Column::Id)
            .join(JoinType::InnerJoin, membership_of::<tag::Entity>(tag::Column::Id))
            .filter(tag::Column::Name.is_in(chunk))
            .filter(repository_content::Column::RepositoryId.eq(version.repository))
            .filter(present_at(version.number))
            .into_tuple()
            .all(connection)
            .await?;
        tags.extend(rows.into_iter().map(|id| (id, Kind::Tag.number())));
    }
    Ok(tags)
}
