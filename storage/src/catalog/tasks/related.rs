//! What belongs to a task but is kept elsewhere, or follows from other tasks: read for a whole page at a time.

use std::collections::HashMap;

use registry::Timestamp;
use registry::task::{Reservation, WaitingFor};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    Statement,
};
use uuid::Uuid;

use super::{CreatedResource, Task};
use crate::catalog::versions::CHUNK;
use crate::entity::task::{Column, Entity, Model};
use crate::entity::{task_created_resource, task_resource};
use crate::error::Result;
use crate::queue::ACTIVE;

/// What a task's own row doesn't say.
#[derive(Default)]
pub(super) struct Related {
    pub(super) reservations: Vec<Reservation>,
    pub(super) created_resources: Vec<CreatedResource>,
    pub(super) waiting_for: Option<WaitingFor>,
    pub(super) parent: Option<Uuid>,
    pub(super) children: Vec<Uuid>,
}

/// Makes tasks of rows.
pub(super) async fn complete(
    connection: &impl ConnectionTrait,
    tasks_per_upstream: u32,
    now: Timestamp,
    rows: Vec<Model>,
) -> Result<Vec<Task>> {
    let mut related: HashMap<i64, Related> = rows.iter().map(|row| (row.seq, Related::default())).collect();
    for chunk in rows.chunks(CHUNK) {
        let seqs: Vec<_> = chunk.iter().map(|row| row.seq).collect();
        add_resources(connection, &seqs, &mut related).await?;
        add_family(connection, &seqs, chunk, &mut related).await?;
        let waiting: Vec<_> =
            chunk.iter().filter(|row| matches!(row.state.as_str(), "waiting" | "queued")).collect();
        if !waiting.is_empty() {
            add_reasons(connection, tasks_per_upstream, now, &waiting, &mut related).await?;
        }
    }
    rows.into_iter()
        .map(|row| {
            let related = related.remove(&row.seq).unwrap_or_default();
            super::read(row, related)
        })
        .collect()
}

async fn add_resources(
    connection: &impl ConnectionTrait,
    seqs: &[i64],
    related: &mut HashMap<i64, Related>,
) -> Result<()> {
    let found = task_resource::Entity::find()
        .filter(task_resource::Column::TaskSeq.is_in(seqs.iter().copied()))
        .order_by_desc(task_resource::Column::Exclusive)
        .order_by_asc(task_resource::Column::Resource)
        .all(connection)
        .await?;
    for row in found {
        let reservation = Reservation { resource: row.resource, exclusive: row.exclusive };
        related.entry(row.task_seq).or_default().reservations.push(reservation);
    }
    let found = task_created_resource::Entity::find()
        .filter(task_created_resource::Column::TaskSeq.is_in(seqs.iter().copied()))
        .order_by_asc(task_created_resource::Column::Position)
        .all(connection)
        .await?;
    for row in found {
        let made = CreatedResource { href: row.href, prn: row.prn };
        related.entry(row.task_seq).or_default().created_resources.push(made);
    }
    Ok(())
}

async fn add_family(
    connection: &impl ConnectionTrait,
    seqs: &[i64],
    rows: &[Model],
    related: &mut HashMap<i64, Related>,
) -> Result<()> {
    let children: Vec<(Option<i64>, Uuid)> = Entity::find()
        .select_only()
        .column(Column::ParentSeq)
        .column(Column::Id)
        .filter(Column::ParentSeq.is_in(seqs.iter().copied()))
        .order_by_asc(Column::Seq)
        .into_tuple()
        .all(connection)
        .await?;
    for (parent, child) in children {
        related.entry(parent.unwrap_or_default()).or_default().children.push(child);
    }
    let ids = ids_of(connection, rows.iter().filter_map(|row| row.parent_seq).collect()).await?;
    for row in rows {
        related.entry(row.seq).or_default().parent = row.parent_seq.and_then(|seq| ids.get(&seq).copied());
    }
    Ok(())
}

async fn ids_of(connection: &impl ConnectionTrait, seqs: Vec<i64>) -> Result<HashMap<i64, Uuid>> {
    if seqs.is_empty() {
        return Ok(HashMap::new());
    }
    let found: Vec<(i64, Uuid)> = Entity::find()
        .select_only()
        .column(Column::Seq)
        .column(Column::Id)
        .filter(Column::Seq.is_in(seqs))
        .into_tuple()
        .all(connection)
        .await?;
    Ok(found.into_iter().collect())
}

async fn add_reasons(
    connection: &impl ConnectionTrait,
    limit: u32,
    now: Timestamp,
    rows: &[&Model],
    related: &mut HashMap<i64, Related>,
) -> Result<()> {
    let blockers = blockers(connection, rows).await?;
    let ids = ids_of(connection, blockers.values().map(|(seq, _)| *seq).collect()).await?;
    let busy = busy_upstreams(connection, rows).await?;
    for row in rows {
        let blocker = blockers.get(&row.seq).and_then(|(seq, resource)| Some((ids.get(seq)?, resource)));
        let not_before = Timestamp::from_micros(row.not_before);
        let reason = if row.state == "queued" {
            WaitingFor::Worker
        } else if let Some((task, resource)) = blocker {
            WaitingFor::Task { task: *task, resource: resource.clone() }
        } else if not_before > now && row.failures > 0 {
            WaitingFor::Retry(not_before)
        } else if not_before > now {
            WaitingFor::Schedule(not_before)
        } else if let Some(host) = row.upstream.as_ref().filter(|host| busy.get(*host) >= Some(&limit.into()))
        {
            WaitingFor::Upstream { host: host.clone(), limit }
        } else {
            WaitingFor::Worker
        };
        related.entry(row.seq).or_default().waiting_for = Some(reason);
    }
    Ok(())
}

/// For each task that is kept from a resource: the earliest task that has it, and the resource.
async fn blockers(connection: &impl ConnectionTrait, rows: &[&Model]) -> Result<HashMap<i64, (i64, String)>> {
    #[derive(FromQueryResult)]
    struct Blocker {
        seq: i64,
        earlier: i64,
        resource: String,
    }
    let seqs: Vec<_> = rows.iter().map(|row| row.seq.to_string()).collect();
    let sql = format!(
        "SELECT mine.task_seq AS seq, mine.resource AS resource, min(other.task_seq) AS earlier \
         FROM task_resource mine JOIN task_resource other \
           ON other.resource = mine.resource AND other.held AND other.task_seq < mine.task_seq \
         WHERE mine.task_seq IN ({}) AND (mine.exclusive OR other.exclusive) \
         GROUP BY mine.task_seq, mine.resource",
        seqs.join(", ")
    );
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let mut earliest: HashMap<i64, (i64, String)> = HashMap::new();
    for found in Blocker::find_by_statement(statement).all(connection).await? {
        let entry = earliest.entry(found.seq).or_insert_with(|| (found.earlier, found.resource.clone()));
        if found.earlier < entry.0 {
            *entry = (found.earlier, found.resource);
        }
    }
    Ok(earliest)
}

async fn busy_upstreams(connection: &impl ConnectionTrait, rows: &[&Model]) -> Result<HashMap<String, i64>> {
    let hosts: Vec<_> = rows.iter().filter_map(|row| row.upstream.clone()).collect();
    if hosts.is_empty() {
        return Ok(HashMap::new());
    }
    let counts: Vec<(String, i64)> = Entity::find()
        .select_only()
        .column(Column::Upstream)
        .column_as(Column::Seq.count(), "active")
        .filter(Column::Upstream.is_in(hosts))
        .filter(Column::State.is_in(ACTIVE))
        .group_by(Column::Upstream)
        .into_tuple()
        .all(connection)
        .await?;
    Ok(counts.into_iter().collect())
}
