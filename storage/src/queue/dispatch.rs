//! Accepting tasks, and giving those to apalis whose resources are free.

use std::collections::HashMap;

use registry::Timestamp;
use registry::task::{TaskState, Work};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult,
    QueryFilter, QueryOrder, QuerySelect, Statement,
};
use uuid::Uuid;

use super::{Job, JobQueue};
use crate::NewTask;
use crate::catalog::{Tx, labels};
use crate::entity::{remote, task, task_resource};
use crate::error::Result;
use crate::fail_point;

/// `pg_advisory_xact_lock` key of everything that moves tasks: "dispatch" in ASCII.
const DISPATCH_LOCK: i64 = 0x6469_7370_6174_6368;
/// Most tasks that one look dispatches, and most successors on one resource that it considers.
const DISPATCH_BATCH: u64 = 256;

/// A waiting task whose time has come, that no earlier, unfinished task keeps from a resource, and whose upstream
/// has room.
#[derive(FromQueryResult)]
struct Eligible {
    seq: i64,
    id: Uuid,
    dispatch_no: i64,
    queue: String,
    upstream: Option<String>,
    unblocked_at: Option<i64>,
    /// How many tasks of the same upstream are under way.
    active: i64,
}

/// Which waiting tasks are looked at.
enum Candidates<'a> {
    All,
    Of(&'a [i64]),
    WithUpstream(&'a str),
}

impl Tx {
    /// Accepts a task: its row, its locks and, when its resources are free, its job, all in this transaction. Gives
    /// its id; that of the earlier task if its deduplication key is used already.
    pub async fn submit(&mut self, new: NewTask) -> Result<Uuid> {
        self.lock_dispatch().await?;
        if let Some(key) = &new.dedupe_key
            && let Some(earlier) =
                task::Entity::find().filter(task::Column::DedupeKey.eq(key)).one(&self.inner).await?
        {
            return Ok(earlier.id);
        }
        let (id, now) = (Uuid::now_v7(), self.now_micros());
        let parent_seq = match new.parent {
            Some(parent) => self.seq_of(parent).await?,
            None => None,
        };
        let row = task::ActiveModel {
            id: Set(id),
            name: Set(new.work.task_name().to_owned()),
            state: Set(TaskState::Waiting.as_str().to_owned()),
            work: Set(labels::write(&new.work)),
            logging_cid: Set(new.correlation_id),
            created_by: Set(new.created_by),
            dedupe_key: Set(new.dedupe_key),
            dispatch_no: Set(0),
            worker_id: Set(None),
            attempt: Set(0),
            failures: Set(0),
            not_before: Set(new.not_before.map_or(now, Timestamp::as_micros)),
            error: Set(None),
            progress: Set(serde_json::json!([])),
            result: Set(None),
            created: Set(now),
            updated: Set(now),
            unblocked_at: Set(None),
            started_at: Set(None),
            finished_at: Set(None),
            deaths: Set(0),
            queue: Set(JobQueue::of(&new.work).as_str().to_owned()),
            upstream: Set(self.upstream_of(&new.work).await?),
            parent_seq: Set(parent_seq),
            group_id: Set(new.group),
            trace_parent: Set(new.trace_parent.map(|parent| parent.to_string())),
            ..Default::default()
        };
        let seq = row.insert(&self.inner).await?.seq;
        fail_point!("submit.inserted");
        let mut reservations = new.reservations;
        // Reserving the same thing twice means reserving it the stronger way.
        reservations.sort_by(|one, other| {
            one.resource.cmp(&other.resource).then(other.exclusive.cmp(&one.exclusive))
        });
        reservations.dedup_by(|one, other| one.resource == other.resource);
        let rows = reservations.into_iter().map(|reservation| task_resource::ActiveModel {
            task_seq: Set(seq),
            resource: Set(reservation.resource),
            exclusive: Set(reservation.exclusive),
            held: Set(true),
        });
        if rows.len() > 0 {
            task_resource::Entity::insert_many(rows).exec_without_returning(&self.inner).await?;
        }
        fail_point!("submit.reserved");
        self.dispatch_if_eligible(seq).await?;
        Ok(id)
    }

    async fn seq_of(&self, id: Uuid) -> Result<Option<i64>> {
        let row =
            task::Entity::find().select_only().column(task::Column::Seq).filter(task::Column::Id.eq(id));
        Ok(row.into_tuple().one(&self.inner).await?)
    }

    /// The host (with its port) that the work talks to.
    async fn upstream_of(&self, work: &Work) -> Result<Option<String>> {
        let Work::SyncRepository { remote, .. } = work else { return Ok(None) };
        let url: Option<String> = remote::Entity::find_by_id(*remote)
            .select_only()
            .column(remote::Column::Url)
            .into_tuple()
            .one(&self.inner)
            .await?;
        let authority = url.as_deref().and_then(|url| url.split_once("://")).map(|(_, rest)| rest);
        let host = authority.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or(rest));
        Ok(host.map(|host| host.rsplit('@').next().unwrap_or(host).to_ascii_lowercase()))
    }

    /// Serialises everything that moves tasks.
    pub(crate) async fn lock_dispatch(&self) -> Result<()> {
        self.lock(DISPATCH_LOCK).await
    }

    /// Gives a task to apalis if it can run now.
    pub(super) async fn dispatch_if_eligible(&mut self, seq: i64) -> Result<usize> {
        self.dispatch(Candidates::Of(&[seq])).await
    }

    /// Gives every task to apalis that can run now.
    pub(super) async fn dispatch_all_eligible(&mut self) -> Result<usize> {
        let mut dispatched = 0;
        loop {
            let more = self.dispatch(Candidates::All).await?;
            dispatched += more;
            if more == 0 {
                return Ok(dispatched);
            }
        }
    }

    /// Gives those tasks to apalis that waited for what was freed.
    pub(super) async fn dispatch_successors(&mut self, freed: impl Iterator<Item = String>) -> Result<()> {
        let mut candidates = Vec::new();
        for resource in freed {
            let holders: Vec<(i64, bool)> = task_resource::Entity::find()
                .select_only()
                .column(task_resource::Column::TaskSeq)
                .column(task_resource::Column::Exclusive)
                .filter(task_resource::Column::Resource.eq(resource))
                .filter(task_resource::Column::Held.eq(true))
                .order_by_asc(task_resource::Column::TaskSeq)
                .limit(DISPATCH_BATCH)
                .into_tuple()
                .all(&self.inner)
                .await?;
            // Either the first alone, or all that share up to the first that doesn't.
            let sharing = holders.iter().take_while(|(_, exclusive)| !exclusive).count().max(1);
            candidates.extend(holders.into_iter().take(sharing).map(|(seq, _)| seq));
        }
        if !candidates.is_empty() {
            candidates.sort_unstable();
            candidates.dedup();
            self.dispatch(Candidates::Of(&candidates)).await?;
        }
        Ok(())
    }

    /// Gives those tasks to apalis that waited for room at the upstream.
    pub(super) async fn dispatch_for_upstream(&mut self, upstream: Option<&str>) -> Result<()> {
        if let Some(upstream) = upstream {
            self.dispatch(Candidates::WithUpstream(upstream)).await?;
        }
        Ok(())
    }

    async fn dispatch(&mut self, candidates: Candidates<'_>) -> Result<usize> {
        let backend = self.inner.get_database_backend();
        let limit = i64::from(self.catalog.0.tasks_per_upstream);
        let mut values: Vec<sea_orm::Value> = vec![self.now_micros().into(), limit.into()];
        let which = match candidates {
            Candidates::All => String::new(),
            Candidates::Of(seqs) => {
                format!("AND t.seq IN ({})", seqs.iter().map(i64::to_string).collect::<Vec<_>>().join(", "))
            }
            Candidates::WithUpstream(upstream) => {
                values.push(upstream.into());
                "AND t.upstream = $3".to_owned()
            }
        };
        let sql = format!(
            "SELECT * FROM (SELECT t.seq, t.id, t.dispatch_no, t.queue, t.upstream, t.unblocked_at, \
               CASE WHEN t.upstream IS NULL THEN 0 ELSE \
                 (SELECT count(*) FROM task r WHERE r.upstream = t.upstream AND r.state IN ({active})) END AS active \
             FROM task t WHERE t.state = 'waiting' AND t.not_before <= $1 {which} AND NOT EXISTS (\
               SELECT 1 FROM task_resource mine JOIN task_resource other \
                 ON other.resource = mine.resource AND other.held AND other.task_seq < mine.task_seq \
               WHERE mine.task_seq = t.seq AND (mine.exclusive OR other.exclusive))) e \
             WHERE e.active < $2 ORDER BY e.seq LIMIT {DISPATCH_BATCH}",
            active = super::ACTIVE.map(|state| format!("'{state}'")).join(", "),
        );
        let statement = Statement::from_sql_and_values(backend, sql, values);
        let eligible = Eligible::find_by_statement(statement).all(&self.inner).await?;
        let mut taken: HashMap<String, i64> = HashMap::new();
        let mut count = 0;
        for row in eligible {
            if let Some(upstream) = row.upstream {
                let taken = taken.entry(upstream).or_default();
                if row.active + *taken >= limit {
                    continue;
                }
                *taken += 1;
            }
            count += 1;
            let dispatch_no = row.dispatch_no + 1;
            let queued = task::ActiveModel {
                state: Set("queued".to_owned()),
                dispatch_no: Set(dispatch_no),
                unblocked_at: Set(row.unblocked_at.or(Some(self.now_micros()))),
                updated: Set(self.now_micros()),
                ..Default::default()
            };
            let own = task::Entity::update_many().set(queued).filter(task::Column::Seq.eq(row.seq));
            own.exec(&self.inner).await?;
            fail_point!("dispatch.queued");
            self.enqueue_job(&row.queue, &Job { task: row.id, dispatch_no }).await?;
            fail_point!("dispatch.enqueued");
        }
        Ok(count)
    }
}
