//! Groups of tasks that were started together.

use std::collections::HashMap;

use registry::Timestamp;
use registry::query::{ListQuery, Page};
use registry::task::TaskState;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::list::{self, Field};
use super::sync::column;
use super::tasks::state_of;
use super::{Catalog, Tx};
use crate::entity::task;
use crate::entity::task_group::{ActiveModel, Column, Entity, Model};
use crate::error::{Result, StorageError};

/// A group of tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskGroup {
    /// Identifies it.
    pub id: Uuid,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed itself.
    pub updated: Timestamp,
    /// For people.
    pub description: String,
    /// Whether no more tasks will join it.
    pub all_dispatched: bool,
    /// Its tasks, oldest first.
    pub tasks: Vec<GroupedTask>,
}

/// One task of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupedTask {
    /// Identifies it.
    pub id: Uuid,
    /// Its kind, in the API's words.
    pub name: String,
    /// Where it stands.
    pub state: TaskState,
    /// When it was accepted.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// When its resources were free.
    pub unblocked_at: Option<Timestamp>,
    /// When a worker first took it.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The worker that has it.
    pub worker: Option<Uuid>,
}

fn field(name: &str) -> Option<Field> {
    let plain = match name {
        "pulp_id" => Column::Id,
        "pulp_created" => Column::Created,
        "pulp_last_updated" => Column::Updated,
        "description" => Column::Description,
        _ => return None,
    };
    Some(Field::Plain(column(Entity, plain)))
}

impl TryFrom<task::Model> for GroupedTask {
    type Error = StorageError;

    fn try_from(row: task::Model) -> Result<Self> {
        let moment = |micros: Option<i64>| micros.map(Timestamp::from_micros);
        Ok(Self {
            state: state_of(&row.state)?,
            id: row.id,
            name: row.name,
            created: Timestamp::from_micros(row.created),
            updated: Timestamp::from_micros(row.updated),
            unblocked_at: moment(row.unblocked_at),
            started_at: moment(row.started_at),
            finished_at: moment(row.finished_at),
            worker: row.worker_id,
        })
    }
}

impl Catalog {
    /// Groups, newest first unless ordered otherwise.
    pub async fn list_task_groups(&self, query: &ListQuery) -> Result<Page<TaskGroup>> {
        let ties = [column(Entity, Column::Created), column(Entity, Column::Id)];
        let page = list::fetch(self.reader(), Entity::find(), query, field, ties).await?;
        Ok(Page { total: page.total, items: self.with_tasks(page.items).await? })
    }

    /// The group with this id.
    pub async fn find_task_group(&self, id: Uuid) -> Result<Option<TaskGroup>> {
        let row = Entity::find_by_id(id).one(self.reader()).await?;
        Ok(self.with_tasks(row.into_iter().collect()).await?.pop())
    }

    /// Adds the tasks of the groups.
    async fn with_tasks(&self, rows: Vec<Model>) -> Result<Vec<TaskGroup>> {
        let tasks = task::Entity::find()
            .filter(task::Column::GroupId.is_in(rows.iter().map(|row| row.id)))
            .order_by_asc(task::Column::Seq)
            .all(self.reader())
            .await?;
        let mut by_group: HashMap<Uuid, Vec<GroupedTask>> = HashMap::new();
        for row in tasks {
            by_group.entry(row.group_id.unwrap_or_default()).or_default().push(row.try_into()?);
        }
        let convert = |row: Model| TaskGroup {
            tasks: by_group.remove(&row.id).unwrap_or_default(),
            id: row.id,
            created: Timestamp::from_micros(row.created),
            updated: Timestamp::from_micros(row.updated),
            description: row.description,
            all_dispatched: row.all_dispatched,
        };
        Ok(rows.into_iter().map(convert).collect())
    }
}

impl Tx {
    /// Makes a group that tasks may join.
    pub async fn create_task_group(&self, description: &str) -> Result<Uuid> {
        let id = Uuid::now_v7();
        let row = ActiveModel {
            id: Set(id),
            description: Set(description.to_owned()),
            all_dispatched: Set(false),
            created: Set(self.now_micros()),
            updated: Set(self.now_micros()),
        };
        Entity::insert(row).exec_without_returning(&self.inner).await?;
        Ok(id)
    }

    /// No more tasks join the group.
    pub async fn close_task_group(&self, id: Uuid) -> Result<()> {
        let row = ActiveModel {
            id: Set(id),
            all_dispatched: Set(true),
            updated: Set(self.now_micros()),
            ..Default::default()
        };
        Entity::update_many().set(row).filter(Column::Id.eq(id)).exec(&self.inner).await?;
        Ok(())
    }

    /// Asks every task of a group to end that has not; gives whether there was one. No more tasks join it.
    pub async fn cancel_task_group(&mut self, id: Uuid) -> Result<bool> {
        self.lock_dispatch().await?;
        if Entity::find_by_id(id).one(&self.inner).await?.is_none() {
            return Err(StorageError::NotFound { kind: "TaskGroup" });
        }
        self.close_task_group(id).await?;
        let unfinished: Vec<Uuid> = task::Entity::find()
            .select_only()
            .column(task::Column::Id)
            .filter(task::Column::GroupId.eq(id))
            .filter(task::Column::State.is_in(["waiting", "queued", "running", "canceling"]))
            // The newest first, so that no canceled task makes way for another one that will be canceled too.
            .order_by_desc(task::Column::Seq)
            .into_tuple()
            .all(&self.inner)
            .await?;
        for task in &unfinished {
            self.cancel_task(*task).await?;
        }
        Ok(!unfinished.is_empty())
    }
}
