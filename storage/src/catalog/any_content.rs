//! Content whatever its kind, as the API lists it.

use std::collections::HashMap;

use registry::href::Kind as Named;
use registry::{Digest, Timestamp};
use sea_orm::sea_query::{Condition, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::list::{self, Field};
use super::membership::Kind;
use super::sync::{column, read_digest};
use super::{Catalog, labels};
use crate::Labels;
use crate::entity::{blob, content};
use crate::error::Result;
use registry::query::{FilterValue, ListQuery, Op, Page};

/// A blob, a manifest or a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnyContent {
    /// Identifies it.
    pub id: Uuid,
    /// What it is.
    pub kind: Named,
    /// When it was first recorded.
    pub created: Timestamp,
    /// Free labels.
    pub pulp_labels: Labels,
    /// The digest of a blob; other content has no file of its own.
    pub blob: Option<Digest>,
}

impl Kind {
    const ALL: [(Self, Named); 3] =
        [(Self::Blob, Named::Blob), (Self::Manifest, Named::Manifest), (Self::Tag, Named::Tag)];

    /// What the API calls a kind of content.
    pub(super) fn named(number: i32) -> Named {
        let known = Self::ALL.iter().find(|(kind, _)| kind.number() == number);
        known.map_or(Named::Tag, |(_, named)| *named)
    }

    /// The kind of content that the API calls so.
    pub(super) fn of(named: Named) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == named).map(|(kind, _)| *kind)
    }
}

fn field(name: &str) -> Option<Field> {
    let own = |field| column(content::Entity, field);
    match name {
        "pulp_id" => Some(Field::Plain(own(content::Column::Id))),
        "pulp_created" => Some(Field::Plain(own(content::Column::Created))),
        "pulp_labels" => Some(Field::ContentLabels(own(content::Column::Id))),
        "repository_version" => Some(Field::Membership(own(content::Column::Id))),
        "pulp_type" => Some(Field::Special(is_of_type)),
        _ => None,
    }
}

/// Whether content is of one of several types: `container.blob`…
fn is_of_type(op: Op, value: &FilterValue) -> Option<Condition> {
    let types = match (op, value) {
        (Op::Eq, FilterValue::Text(one)) => std::slice::from_ref(one),
        (Op::In, FilterValue::Texts(several)) => several,
        _ => return None,
    };
    let numbers = Kind::ALL.iter().filter(|(_, named)| types.iter().any(|text| text == named.model()));
    let numbers = numbers.map(|(kind, _)| kind.number());
    Some(Condition::all().add(column(content::Entity, content::Column::Kind).is_in(numbers)))
}

impl Catalog {
    /// Content of all kinds, newest first unless ordered otherwise.
    pub async fn list_contents(&self, query: &ListQuery) -> Result<Page<AnyContent>> {
        let id = || column(content::Entity, content::Column::Id);
        let page = list::fetch(self.reader(), content::Entity::find(), query, field, [id(), id()]).await?;
        let mut digests = self.blob_digests(&page.items).await?;
        page.try_map(|row| {
            Ok(AnyContent {
                id: row.id,
                kind: Kind::named(row.kind),
                created: Timestamp::from_micros(row.created),
                pulp_labels: labels::from_json(row.labels)?,
                blob: digests.remove(&row.id),
            })
        })
    }

    async fn blob_digests(&self, rows: &[content::Model]) -> Result<HashMap<Uuid, Digest>> {
        let blobs = rows.iter().filter(|row| row.kind == Kind::Blob.number());
        let blobs: Vec<Uuid> = blobs.map(|row| row.id).collect();
        let mut digests = HashMap::new();
        for chunk in blobs.chunks(super::versions::CHUNK) {
            let wanted = blob::Column::Id.is_in(chunk.iter().copied());
            for row in blob::Entity::find().filter(wanted).all(self.reader()).await? {
                digests.insert(row.id, read_digest(&row.digest)?);
            }
        }
        Ok(digests)
    }
}
