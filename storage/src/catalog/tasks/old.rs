//! Forgetting tasks that have ended.

use registry::Timestamp;
use registry::task::TaskState;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::catalog::Tx;
use crate::entity::task::{Column, Entity};
use crate::entity::task_group;
use crate::error::{Result, StorageError};

/// How many tasks one transaction forgets: few enough that nobody has to wait for it.
const BATCH: u64 = 500;

impl Tx {
    /// Deletes some of the tasks that ended before `before` in one of `states`, oldest first. Gives how many; there
    /// may be more unless it is none. Groups go with their last task.
    pub async fn delete_ended_tasks(&self, before: Timestamp, states: &[TaskState]) -> Result<u64> {
        if let Some(state) = states.iter().find(|state| !state.is_final()) {
            return Err(StorageError::invalid("states", format!("Tasks that are {state} have not ended.")));
        }
        let old: Vec<(i64, Option<uuid::Uuid>)> = Entity::find()
            .select_only()
            .column(Column::Seq)
            .column(Column::GroupId)
            .filter(Column::FinishedAt.lt(before.as_micros()))
            .filter(Column::State.is_in(states.iter().map(|state| state.as_str())))
            .order_by_asc(Column::FinishedAt)
            .limit(BATCH)
            .into_tuple()
            .all(&self.inner)
            .await?;
        if old.is_empty() {
            return Ok(0);
        }
        let (seqs, groups): (Vec<_>, Vec<_>) = old.into_iter().unzip();
        let deleted = Entity::delete_many().filter(Column::Seq.is_in(seqs)).exec(&self.inner).await?;
        let groups: Vec<_> = groups.into_iter().flatten().collect();
        if !groups.is_empty() {
            let kept =
                Entity::find().select_only().column(Column::GroupId).filter(Column::GroupId.is_not_null());
            task_group::Entity::delete_many()
                .filter(task_group::Column::Id.is_in(groups))
                .filter(task_group::Column::AllDispatched.eq(true))
                .filter(task_group::Column::Id.not_in_subquery(sea_orm::QueryTrait::into_query(kept)))
                .exec(&self.inner)
                .await?;
        }
        Ok(deleted.rows_affected)
    }
}
