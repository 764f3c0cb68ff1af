//! Workers and their leases. What happens to the tasks of those that died is in `reconcile`.
//!
//! A worker lives as long as it renews its lease. Times here are the database's own, so that hosts need not agree.

use std::time::Duration;

use registry::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter,
    QueryOrder, QuerySelect, Statement,
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::catalog::list::{self, Field};
use crate::catalog::sync::column;
use crate::catalog::{Catalog, Pool, Tx};
use crate::entity::task;
use crate::entity::worker_node::{ActiveModel, Column, Entity, Model};
use crate::error::Result;
use crate::fail_point;
use registry::query::{ListQuery, Page};

/// How long a worker that no longer renews keeps its tasks: others wait that long before they take them.
const LEASE: Duration = Duration::from_secs(10);
/// On SQLite only one process has the database, and knows at its start that all earlier workers are dead. A lease
/// only has to outlast the longest transaction, which keeps the heartbeat waiting for the one writing connection.
const LEASE_ON_SQLITE: Duration = Duration::from_mins(1);
/// A worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerNode {
    /// Identifies it; each start makes a new one.
    pub id: Uuid,
    /// `<pid>@<host>`
    pub name: String,
    /// When it started.
    pub started: Timestamp,
    /// When it last renewed its lease.
    pub last_heartbeat: Timestamp,
    /// The release that it runs; empty if that is one that doesn't say.
    pub version: String,
    /// The tasks that it has, oldest first.
    pub current_tasks: Vec<Uuid>,
    /// Whether its lease is still good.
    pub online: bool,
}

/// What a worker learns when it renews its lease.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heartbeat {
    /// Tasks of this worker that were asked to end.
    pub cancel_requested: Vec<Uuid>,
    /// Whether the lease had run out: every task of this worker belongs to others now.
    pub lost: bool,
}

/// The database's present moment in microseconds.
pub(super) fn database_now(postgres: bool) -> Expr {
    Expr::cust(if postgres {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    } else {
        "CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)"
    })
}

const fn lease(postgres: bool) -> Duration {
    if postgres { LEASE } else { LEASE_ON_SQLITE }
}

pub(super) fn lease_start(postgres: bool) -> Expr {
    let lease = i64::try_from(lease(postgres).as_micros()).expect("seconds fit");
    database_now(postgres).sub(lease)
}

/// Holds when `worker`'s lease is good.
pub(super) fn fresh_worker(tx: &Tx, worker: Uuid) -> Expr {
    let alive = Query::select()
        .expr(Expr::value(1))
        .from(Entity)
        .and_where(Expr::col(Column::Id).eq(worker))
        .and_where(Expr::col(Column::LastSeen).gte(lease_start(tx.is_postgres())))
        .take();
    Expr::exists(alive)
}

fn field(name: &str) -> Option<Field> {
    let plain = match name {
        "name" => Column::Name,
        "pulp_id" => Column::Id,
        "pulp_created" => Column::Started,
        "pulp_last_updated" | "last_heartbeat" => Column::LastSeen,
        "online" => {
            return Some(Field::Flag(|backend| {
                column(Entity, Column::LastSeen).gte(lease_start(backend == DbBackend::Postgres))
            }));
        }
        "missing" => {
            return Some(Field::Flag(|backend| {
                column(Entity, Column::LastSeen).lt(lease_start(backend == DbBackend::Postgres))
            }));
        }
        _ => return None,
    };
    Some(Field::Plain(column(Entity, plain)))
}

impl Catalog {
    /// Makes a worker with a fresh lease. On SQLite, whose data folder only one process can have, all earlier workers
    /// are known to be dead, and their tasks are free at once.
    pub async fn register_worker(&self, name: &str) -> Result<Uuid> {
        let tx = self.begin().await?;
        if matches!(self.0.pool, Pool::Sqlite(_)) {
            Entity::update_many().col_expr(Column::LastSeen, Expr::value(0)).exec(&tx.inner).await?;
            // Jobs that apalis had fetched for them would be recovered only after its own patience.
            tx.give_back_jobs("").await?;
        }
        let id = Uuid::now_v7();
        let row = ActiveModel {
            id: Set(id),
            name: Set(name.to_owned()),
            started: Set(tx.now_micros()),
            last_seen: Set(0),
            version: Set(env!("CARGO_PKG_VERSION").to_owned()),
        };
        Entity::insert(row).exec_without_returning(&tx.inner).await?;
        fail_point!("register.inserted");
        Entity::update_many()
            .col_expr(Column::LastSeen, database_now(tx.is_postgres()))
            .filter(Column::Id.eq(id))
            .exec(&tx.inner)
            .await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Lets others fetch at once what apalis had fetched for a worker that takes no more: `name` is what the names that
    /// it has with apalis begin with.
    pub async fn give_back_jobs(&self, name: &str) -> Result<()> {
        let tx = self.begin().await?;
        tx.give_back_jobs(name).await?;
        tx.commit().await
    }

    /// How long a worker may be silent before its tasks are given to others.
    pub fn lease(&self) -> Duration {
        lease(matches!(self.0.pool, Pool::Postgres(_)))
    }

    /// Renews a worker's lease, unless it has run out.
    pub async fn heartbeat(&self, worker: Uuid) -> Result<Heartbeat> {
        let connection = &self.0.heartbeat;
        let postgres = matches!(self.0.pool, Pool::Postgres(_));
        let renewed = Entity::update_many()
            .col_expr(Column::LastSeen, database_now(postgres))
            .filter(Column::Id.eq(worker))
            .filter(Expr::col(Column::LastSeen).gte(lease_start(postgres)))
            .exec(connection)
            .await?;
        if renewed.rows_affected == 0 {
            return Ok(Heartbeat { lost: true, ..Heartbeat::default() });
        }
        let cancel_requested = task::Entity::find()
            .select_only()
            .column(task::Column::Id)
            .filter(task::Column::WorkerId.eq(worker))
            .filter(task::Column::State.eq("canceling"))
            .into_tuple()
            .all(connection)
            .await?;
        Ok(Heartbeat { cancel_requested, lost: false })
    }

    /// Changes whenever a running task was asked to end, as far as this process has heard: a reason for
    /// [`Catalog::heartbeat`] before its time.
    pub fn cancel_requests(&self) -> watch::Receiver<u64> {
        self.0.signals.cancels()
    }

    /// Ends a worker's lease, after it handed back its tasks.
    pub async fn unregister_worker(&self, worker: Uuid) -> Result<()> {
        let tx = self.begin().await?;
        Entity::delete_by_id(worker).exec(&tx.inner).await?;
        tx.commit().await
    }

    /// Workers, newest first unless ordered otherwise.
    pub async fn list_workers(&self, query: &ListQuery) -> Result<Page<WorkerNode>> {
        let ties = [column(Entity, Column::Started), column(Entity, Column::Id)];
        let page = list::fetch(self.reader(), Entity::find(), query, field, ties).await?;
        Ok(Page { total: page.total, items: self.worker_nodes(page.items).await? })
    }

    /// The worker with this id.
    pub async fn find_worker(&self, id: Uuid) -> Result<Option<WorkerNode>> {
        let row = Entity::find_by_id(id).one(self.reader()).await?;
        Ok(self.worker_nodes(row.into_iter().collect()).await?.pop())
    }

    async fn worker_nodes(&self, rows: Vec<Model>) -> Result<Vec<WorkerNode>> {
        #[derive(FromQueryResult)]
        struct Now {
            start: i64,
        }
        let postgres = matches!(self.0.pool, Pool::Postgres(_));
        let select = Query::select().expr_as(lease_start(postgres), "start").take();
        let start = Now::find_by_statement(self.reader().get_database_backend().build(&select))
            .one(self.reader())
            .await?
            .map_or(0, |now| now.start);
        let ids = rows.iter().map(|row| row.id);
        let running: Vec<(Option<Uuid>, Uuid)> = task::Entity::find()
            .select_only()
            .column(task::Column::WorkerId)
            .column(task::Column::Id)
            .filter(task::Column::WorkerId.is_in(ids))
            .order_by_asc(task::Column::Seq)
            .into_tuple()
            .all(self.reader())
            .await?;
        let convert = |row: Model| WorkerNode {
            current_tasks: (running.iter().filter(|(worker, _)| *worker == Some(row.id)))
                .map(|(_, task)| *task)
                .collect(),
            id: row.id,
            version: row.version,
            name: row.name,
            started: Timestamp::from_micros(row.started),
            last_heartbeat: Timestamp::from_micros(row.last_seen),
            online: row.last_seen >= start,
        };
        Ok(rows.into_iter().map(convert).collect())
    }
}

impl Tx {
    /// Jobs that apalis had fetched for workers whose name begins so, and that were not claimed, can be fetched again.
    pub(super) async fn give_back_jobs(&self, name: &str) -> Result<()> {
        let jobs = if self.is_postgres() { "apalis.jobs" } else { "Jobs" };
        let sql = format!(
            "UPDATE {jobs} SET status = 'Pending', lock_by = NULL, lock_at = NULL \
             WHERE job_type LIKE 'entrepot.%' AND status IN ('Queued', 'Running') AND substr(lock_by, 1, $1) = $2"
        );
        let length = i32::try_from(name.chars().count()).unwrap_or(i32::MAX);
        let values = [length.into(), name.into()];
        let statement = Statement::from_sql_and_values(self.inner.get_database_backend(), sql, values);
        self.inner.execute_raw(statement).await?;
        Ok(())
    }
}
