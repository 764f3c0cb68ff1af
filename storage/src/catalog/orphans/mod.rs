//! Orphans: content that no version holds, and files that no blob is of. How they go while everything else goes on.
//!
//! - `content.touched` is when a piece was last recorded, found by a sync, or given up by a version. An orphan is let
//!   alone until that is some time ago, so what a sync has found and not published yet is safe.
//! - Rows go in small transactions which hold the cleanup's lock alone. Whoever publishes or records shares that lock,
//!   so what it found is there when it commits. Whoever comes later finds that the piece is missing, and fetches it again.
//! - A file is not deleted with its row: nothing could undo that. The row leaves an entry in `doomed_file`. A later
//!   transaction, under the same lock, deletes the file unless a blob of that digest has been recorded again.
//! - The entry stays for a day. Whoever records a blob that has one makes sure that the file is there: it may have been
//!   seen before it was deleted.

mod files;

use registry::{Digest, Timestamp};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::membership::Kind;
use super::sync::read_size;
use super::versions::CHUNK;
use super::{Catalog, Tx};
use crate::entity::{blob, content, manifest, pushed_blob, repository_content, tag};
use crate::error::Result;
use crate::fail_point;

/// How many rows one look goes through.
const WINDOW: u64 = 2000;
/// The kinds of content in the order in which orphans go: tags name manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrphanKind {
    /// A name on a manifest.
    Tag,
    /// A manifest or index.
    Manifest,
    /// A layer or configuration.
    Blob,
}

impl OrphanKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tag, Self::Manifest, Self::Blob];
}

/// What one look found.
#[derive(Debug, Clone, Default)]
pub struct OrphanWindow {
    /// The orphans, by content id.
    pub orphans: Vec<Uuid>,
    /// Where the next look starts; `None` behind the last row.
    pub next: Option<Uuid>,
}

/// What went, or would go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freed {
    /// Pieces of content, or files.
    pub count: u64,
    /// The size of the blobs among them.
    pub bytes: u64,
}

impl std::ops::AddAssign for Freed {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.bytes += other.bytes;
    }
}

#[derive(FromQueryResult)]
struct OrphanBlob {
    id: Uuid,
    digest: String,
    size_bytes: i64,
}

impl Catalog {
    /// Looks through the next 2,000 pieces of a kind for orphans that nobody touched since `untouched_since`.
    pub async fn find_orphans(
        &self,
        kind: OrphanKind,
        after: Option<Uuid>,
        untouched_since: Timestamp,
    ) -> Result<OrphanWindow> {
        let window = window(kind, after);
        let mut last = Query::select();
        last.column("id")
            .from_subquery(window.clone(), "window")
            .order_by("id", sea_orm::Order::Desc)
            .limit(1);
        let next = self.reader().query_one(&last).await?;
        let Some(next) = next.map(|row| row.try_get::<Uuid>("", "id")).transpose()? else {
            return Ok(OrphanWindow::default());
        };
        let mut select = Query::select();
        select.expr(Expr::col(("window", "id"))).from_subquery(window, "window").and_where(is_orphan(
            kind,
            &Expr::col(("window", "id")),
            untouched_since,
        ));
        let rows = self.reader().query_all(&select).await?;
        let orphans =
            rows.iter().map(|row| row.try_get::<Uuid>("", "id")).collect::<std::result::Result<_, _>>()?;
        Ok(OrphanWindow { orphans, next: Some(next) })
    }

    /// What the orphans among `ids` take.
    pub async fn weigh_orphans(
        &self,
        kind: OrphanKind,
        ids: &[Uuid],
        untouched_since: Timestamp,
    ) -> Result<Freed> {
        let found = orphans_among(self.reader(), kind, ids, untouched_since).await?;
        Ok(found.freed)
    }

    /// Deletes those of `ids` that are orphans still. The files of blobs go later: see [`Catalog::delete_doomed_files`].
    pub async fn delete_orphans(
        &self,
        kind: OrphanKind,
        ids: &[Uuid],
        untouched_since: Timestamp,
    ) -> Result<Freed> {
        let mut freed = Freed::default();
        for chunk in ids.chunks(CHUNK) {
            let tx = self.begin().await?;
            tx.lock_cleanup().await?;
            let mut found = orphans_among(&tx.inner, kind, chunk, untouched_since).await?;
            if kind == OrphanKind::Manifest {
                found.leave_out(&tx.tagged(&found.ids).await?);
            }
            let doomed = found.files.into_iter().map(|row| (row.digest, row.size_bytes)).collect();
            tx.doom(doomed).await?;
            if !found.ids.is_empty() {
                content::Entity::delete_many()
                    .filter(content::Column::Id.is_in(found.ids))
                    .exec(&tx.inner)
                    .await?;
            }
            fail_point!("orphans.deleted");
            tx.commit().await?;
            fail_point!("orphans.committed");
            freed += found.freed;
        }
        Ok(freed)
    }

    /// Notes that somebody is going to use blobs or manifests, which keeps orphans among them from being cleaned up.
    pub async fn touch_orphans(&self, kind: OrphanKind, digests: &[Digest]) -> Result<()> {
        let id = Expr::col((content::Entity, content::Column::Id));
        let mut old: Vec<Uuid> = Vec::new();
        // A recent touch is as good as one now.
        let before = self.now().plus_seconds(-TOUCH_SECS);
        for chunk in digests.chunks(CHUNK) {
            let texts = chunk.iter().map(Digest::as_str);
            let mut of_digests = Query::select();
            match kind {
                OrphanKind::Blob => of_digests
                    .column(blob::Column::Id)
                    .from(blob::Entity)
                    .and_where(Expr::col(blob::Column::Digest).is_in(texts)),
                OrphanKind::Manifest | OrphanKind::Tag => of_digests
                    .column(manifest::Column::Id)
                    .from(manifest::Entity)
                    .and_where(Expr::col(manifest::Column::Digest).is_in(texts)),
            };
            let found: Vec<Uuid> = content::Entity::find()
                .select_only()
                .column(content::Column::Id)
                .filter(id.clone().in_subquery(of_digests))
                .filter(content::Column::Touched.lt(before.as_micros()))
                .filter(Expr::exists(holders(&id)).not())
                .into_tuple()
                .all(self.reader())
                .await?;
            old.extend(found);
        }
        if old.is_empty() {
            return Ok(());
        }
        let tx = self.begin().await?;
        for chunk in old.chunks(CHUNK) {
            content::Entity::update_many()
                .col_expr(content::Column::Touched, Expr::value(tx.now_micros()))
                .filter(content::Column::Id.is_in(chunk.iter().copied()))
                .exec(&tx.inner)
                .await?;
        }
        tx.commit().await
    }
}

/// How old a touch may be that is not renewed, in seconds.
const TOUCH_SECS: i64 = 600;

impl Tx {
    /// Dates the content of memberships that are about to go, which `condition` selects.
    pub(crate) async fn give_up_content(&self, condition: Expr) -> Result<()> {
        let mut given_up = Query::select();
        given_up
            .column(repository_content::Column::ContentId)
            .from(repository_content::Entity)
            .and_where(condition);
        content::Entity::update_many()
            .col_expr(content::Column::Touched, Expr::value(self.now_micros()))
            .filter(Expr::col(content::Column::Id).in_subquery(given_up))
            .exec(&self.inner)
            .await?;
        Ok(())
    }

    /// Those of `manifests` that tags name which are orphans too, but were to stay.
    async fn tagged(&self, manifests: &[Uuid]) -> Result<Vec<Uuid>> {
        let found = tag::Entity::find()
            .select_only()
            .column(tag::Column::ManifestId)
            .filter(tag::Column::ManifestId.is_in(manifests.iter().copied()));
        Ok(found.into_tuple().all(&self.inner).await?)
    }
}

/// The next rows of a kind, in the order of their ids.
fn window(kind: OrphanKind, after: Option<Uuid>) -> SelectStatement {
    let mut select = Query::select();
    match kind {
        OrphanKind::Tag => select.from(tag::Entity),
        OrphanKind::Manifest => select.from(manifest::Entity),
        OrphanKind::Blob => select.from(blob::Entity),
    };
    select.column("id").order_by("id", sea_orm::Order::Asc).limit(WINDOW);
    if let Some(after) = after {
        select.and_where(Expr::col("id").gt(after));
    }
    select
}

fn is_orphan(kind: OrphanKind, id: &Expr, untouched_since: Timestamp) -> Expr {
    let mut untouched = Query::select();
    untouched
        .expr(Expr::value(1))
        .from(content::Entity)
        .and_where(Expr::col((content::Entity, content::Column::Id)).eq(id.clone()))
        .and_where(Expr::col((content::Entity, content::Column::Touched)).lte(untouched_since.as_micros()));
    let orphan = Expr::exists(untouched).and(Expr::exists(holders(id)).not());
    match kind {
        OrphanKind::Tag => return orphan,
        // What was just pushed waits for its manifest.
        OrphanKind::Blob => return orphan.and(Expr::exists(pushes(id)).not()),
        OrphanKind::Manifest => {}
    }
    // A tag that stays keeps its manifest.
    let tag_id = Expr::col((tag::Entity, tag::Column::Id));
    let mut named = Query::select();
    named
        .expr(Expr::value(1))
        .from(tag::Entity)
        .and_where(Expr::col((tag::Entity, tag::Column::ManifestId)).eq(id.clone()))
        .and_where(is_orphan(OrphanKind::Tag, &tag_id, untouched_since).not());
    orphan.and(Expr::exists(named).not())
}

/// The pushes of a blob that no manifest has named yet.
pub(super) fn pushes(blob: &Expr) -> SelectStatement {
    let mut pushed = Query::select();
    pushed
        .expr(Expr::value(1))
        .from(pushed_blob::Entity)
        .and_where(Expr::col((pushed_blob::Entity, pushed_blob::Column::BlobId)).eq(blob.clone()));
    pushed
}

/// The memberships of a piece.
fn holders(id: &Expr) -> SelectStatement {
    let mut held = Query::select();
    held.expr(Expr::value(1)).from(repository_content::Entity).and_where(
        Expr::col((repository_content::Entity, repository_content::Column::ContentId)).eq(id.clone()),
    );
    held
}

#[derive(Default)]
struct Found {
    ids: Vec<Uuid>,
    files: Vec<OrphanBlob>,
    freed: Freed,
}

impl Found {
    fn leave_out(&mut self, ids: &[Uuid]) {
        self.ids.retain(|id| !ids.contains(id));
        self.freed.count = self.ids.len() as u64;
    }
}

async fn orphans_among(
    connection: &impl ConnectionTrait,
    kind: OrphanKind,
    ids: &[Uuid],
    untouched_since: Timestamp,
) -> Result<Found> {
    let mut found = Found::default();
    for chunk in ids.chunks(CHUNK) {
        if kind == OrphanKind::Blob {
            let id = Expr::col((blob::Entity, blob::Column::Id));
            let rows = blob::Entity::find()
                .filter(blob::Column::Id.is_in(chunk.iter().copied()))
                .filter(is_orphan(kind, &id, untouched_since))
                .into_model::<OrphanBlob>()
                .all(connection)
                .await?;
            found.ids.extend(rows.iter().map(|row| row.id));
            found.files.extend(rows);
        } else {
            let id = Expr::col((content::Entity, content::Column::Id));
            let rows: Vec<Uuid> = content::Entity::find()
                .select_only()
                .column(content::Column::Id)
                .filter(content::Column::Id.is_in(chunk.iter().copied()))
                .filter(content::Column::Kind.eq(number(kind)))
                .filter(is_orphan(kind, &id, untouched_since))
                .into_tuple()
                .all(connection)
                .await?;
            found.ids.extend(rows);
        }
    }
    let mut bytes = 0;
    for file in &found.files {
        bytes += read_size(file.size_bytes)?;
    }
    found.freed = Freed { count: found.ids.len() as u64, bytes };
    Ok(found)
}

const fn number(kind: OrphanKind) -> i32 {
    match kind {
        OrphanKind::Tag => Kind::Tag.number(),
        OrphanKind::Manifest => Kind::Manifest.number(),
        OrphanKind::Blob => Kind::Blob.number(),
    }
}
