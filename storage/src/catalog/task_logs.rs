//! What tasks logged: lines that are only added, and go with their task.

use std::collections::HashMap;

use registry::Timestamp;
use registry::query::{ListQuery, OrderBy, Page};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use super::Catalog;
use super::list::{self, Field};
use super::sync::column;
use super::versions::CHUNK;
use crate::entity::task;
use crate::entity::task_log::{ActiveModel, Column, Entity, Model};
use crate::error::Result;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskLogLine {
    /// When it was logged.
    pub at: Timestamp,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: &'static str,
    /// Which part of the program logged it.
    pub target: String,
    /// What happened.
    pub message: String,
}

/// A line as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLogLine {
    /// Grows from line to line.
    pub seq: i64,
    /// The line.
    pub line: TaskLogLine,
}

/// The levels, as the table knows them.
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

fn field(name: &str) -> Option<Field> {
    let plain = match name {
        "at" => Column::At,
        "level" => Column::Level,
        "seq" => Column::Seq,
        _ => return None,
    };
    Some(Field::Plain(column(Entity, plain)))
}

impl Catalog {
    /// Keeps lines of several tasks, in their order. Those of tasks that are gone are dropped.
    pub async fn append_task_logs(&self, lines: Vec<(Uuid, TaskLogLine)>) -> Result<()> {
        let tx = self.begin().await?;
        let mut ids: Vec<Uuid> = lines.iter().map(|(task, _)| *task).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut seqs: HashMap<Uuid, i64> = HashMap::new();
        for chunk in ids.chunks(CHUNK) {
            let found: Vec<(Uuid, i64)> = task::Entity::find()
                .select_only()
                .column(task::Column::Id)
                .column(task::Column::Seq)
                .filter(task::Column::Id.is_in(chunk.iter().copied()))
                .into_tuple()
                .all(&tx.inner)
                .await?;
            seqs.extend(found);
        }
        let rows: Vec<ActiveModel> = (lines.into_iter())
            .filter_map(|(task, line)| {
                Some(ActiveModel {
                    task_seq: Set(*seqs.get(&task)?),
                    at: Set(line.at.as_micros()),
                    level: Set(line.level.to_owned()),
                    target: Set(line.target),
                    message: Set(line.message),
                    ..Default::default()
                })
            })
            .collect();
        for chunk in rows.chunks(CHUNK) {
            Entity::insert_many(chunk.to_vec()).exec_without_returning(&tx.inner).await?;
        }
        tx.commit().await
    }

    /// How many lines a task has.
    pub async fn count_task_log(&self, task: Uuid) -> Result<u64> {
        let Some(seq) = self.find_task_seq(task).await? else { return Ok(0) };
        Ok(Entity::find().filter(Column::TaskSeq.eq(seq)).count(self.reader()).await?)
    }

    /// A task's lines, oldest first unless ordered otherwise. `None` when there is no such task.
    pub async fn list_task_log(&self, task: Uuid, query: &ListQuery) -> Result<Option<Page<KeptLogLine>>> {
        let Some(seq) = self.find_task_seq(task).await? else { return Ok(None) };
        let mut query = query.clone();
        if query.order.is_empty() {
            query.order.push(OrderBy { field: "seq", descending: false });
        }
        let select = Entity::find().filter(Column::TaskSeq.eq(seq));
        let ties = [column(Entity, Column::At), column(Entity, Column::Seq)];
        let page = list::fetch(self.reader(), select, &query, field, ties).await?;
        Ok(Some(Page { total: page.total, items: page.items.into_iter().map(read).collect() }))
    }

    /// At most `limit` lines behind the line `after`.
    pub async fn task_log_after(&self, task: Uuid, after: i64, limit: u64) -> Result<Vec<KeptLogLine>> {
        let Some(seq) = self.find_task_seq(task).await? else { return Ok(Vec::new()) };
        let rows = Entity::find()
            .filter(Column::TaskSeq.eq(seq))
            .filter(Column::Seq.gt(after))
            .order_by_asc(Column::Seq)
            .limit(limit)
            .all(self.reader())
            .await?;
        Ok(rows.into_iter().map(read).collect())
    }

    async fn find_task_seq(&self, task: Uuid) -> Result<Option<i64>> {
        Ok(task::Entity::find()
            .select_only()
            .column(task::Column::Seq)
            .filter(task::Column::Id.eq(task))
            .into_tuple()
            .one(self.reader())
            .await?)
    }
}

fn read(row: Model) -> KeptLogLine {
    KeptLogLine {
        seq: row.seq,
        line: TaskLogLine {
            at: Timestamp::from_micros(row.at),
            // The table holds no other level.
            level: LEVELS.into_iter().find(|level| *level == row.level).unwrap_or("info"),
            target: row.target,
            message: row.message,
        },
    }
}
