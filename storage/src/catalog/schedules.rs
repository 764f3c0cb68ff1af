//! Schedules: their rows, and what changes them by hand. What fires them is in `schedule_fires`.
//!
//! A schedule goes with the repository that it is about: without it, it could do nothing. A remote that a schedule
//! names stays until that names another one, as with repositories.

use std::collections::HashMap;

use registry::Timestamp;
use registry::query::{ListQuery, Page};
use registry::schedule::{MissedPolicy, OverlapPolicy, Recurrence, ScheduleError, ScheduledWork, Timetable};
use registry::task::TaskState;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QuerySelect,
};
use uuid::Uuid;

use super::list::{self, Field};
use super::repositories::must_be_free;
use super::sync::column;
use super::versions::CHUNK;
use super::{Catalog, Tx, labels};
use crate::entity::schedule::{ActiveModel, Column, Entity, Model};
use crate::entity::{remote, repository, task};
use crate::error::{Result, StorageError};

/// A schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Identifies it.
    pub id: Uuid,
    /// When it was made.
    pub created: Timestamp,
    /// When somebody last changed it; fires don't count.
    pub updated: Timestamp,
    /// Its unique name.
    pub name: String,
    /// When it fires.
    pub expression: String,
    /// The IANA name of the zone that the expression is read in.
    pub time_zone: String,
    /// What it runs.
    pub work: ScheduledWork,
    /// The name of its tasks.
    pub task_name: String,
    /// By how much a fire may be put off, in seconds.
    pub jitter_secs: i64,
    /// What happens at a fire that finds the previous task unfinished.
    pub on_overlap: OverlapPolicy,
    /// What happens about fires that nobody was there for.
    pub on_missed: MissedPolicy,
    /// Whether it fires.
    pub enabled: bool,
    /// The fire that is waited for; absent while disabled.
    pub next_fire: Option<Timestamp>,
    /// When that comes due, which jitter puts off.
    pub next_due: Option<Timestamp>,
    /// The newest fire that came due, whatever was done about it.
    pub last_fire: Option<Timestamp>,
    /// The task that was last started, by a fire or by hand, while it is there.
    pub last_task: Option<Uuid>,
    /// Where that task stands.
    pub last_task_state: Option<TaskState>,
    /// How many fires nobody was there for.
    pub missed_fires: i64,
    /// How many fires found the previous task unfinished and started none.
    pub skipped_fires: i64,
    /// Why the last fire could start no task, until one does.
    pub last_error: Option<String>,
    /// Who made it: its tasks are in their name.
    pub created_by: Option<Uuid>,
}

/// A schedule to make.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSchedule {
    /// Its unique name.
    pub name: String,
    /// When it fires.
    pub expression: String,
    /// The IANA name of the zone that the expression is read in.
    pub time_zone: String,
    /// What it runs.
    pub work: ScheduledWork,
    /// By how much a fire may be put off, in seconds.
    pub jitter_secs: i64,
    /// What happens at a fire that finds the previous task unfinished.
    pub on_overlap: OverlapPolicy,
    /// What happens about fires that nobody was there for.
    pub on_missed: MissedPolicy,
    /// Whether it fires.
    pub enabled: bool,
    /// Who makes it.
    pub created_by: Option<Uuid>,
}

/// What changes of a schedule; `None` stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScheduleChanges {
    /// The unique name.
    pub name: Option<String>,
    /// When it fires.
    pub expression: Option<String>,
    /// The zone that the expression is read in.
    pub time_zone: Option<String>,
    /// What it runs.
    pub work: Option<ScheduledWork>,
    /// By how much a fire may be put off, in seconds.
    pub jitter_secs: Option<i64>,
    /// What happens at a fire that finds the previous task unfinished.
    pub on_overlap: Option<OverlapPolicy>,
    /// What happens about fires that nobody was there for.
    pub on_missed: Option<MissedPolicy>,
    /// Whether it fires.
    pub enabled: Option<bool>,
}

impl Schedule {
    /// The next fires, without jitter; none while it is disabled.
    pub fn next_fires(&self, count: usize) -> Vec<Timestamp> {
        let timetable = Timetable::parse(&self.expression, &self.time_zone);
        match (self.next_fire, timetable) {
            // Strictly before it: the first is the one that is waited for.
            (Some(next), Ok(timetable)) => timetable.fires_after(next.plus_seconds(-1), count),
            _ => Vec::new(),
        }
    }
}

fn field(name: &str) -> Option<Field> {
    let plain = match name {
        "name" => Column::Name,
        "task_name" => Column::TaskName,
        "enabled" => Column::Enabled,
        "next_dispatch" => Column::DueAt,
        "pulp_id" => Column::Id,
        "pulp_created" => Column::Created,
        "pulp_last_updated" => Column::Updated,
        _ => return None,
    };
    Some(Field::Plain(column(Entity, plain)))
}

impl Catalog {
    /// The schedule with this id.
    pub async fn find_schedule(&self, id: Uuid) -> Result<Option<Schedule>> {
        let row = Entity::find_by_id(id).one(self.reader()).await?;
        Ok(self.with_task_states(row.into_iter().collect()).await?.pop())
    }

    /// Schedules, newest first unless ordered otherwise.
    pub async fn list_schedules(&self, query: &ListQuery) -> Result<Page<Schedule>> {
        let ties = [column(Entity, Column::Created), column(Entity, Column::Id)];
        let page = list::fetch(self.reader(), Entity::find(), query, field, ties).await?;
        Ok(Page { total: page.total, items: self.with_task_states(page.items).await? })
    }

    /// Adds where the last tasks stand, and forgets those that were deleted.
    async fn with_task_states(&self, rows: Vec<Model>) -> Result<Vec<Schedule>> {
        let mut states: HashMap<Uuid, String> = HashMap::new();
        let ids: Vec<Uuid> = rows.iter().filter_map(|row| row.last_task).collect();
        for chunk in ids.chunks(CHUNK) {
            let found: Vec<(Uuid, String)> = task::Entity::find()
                .select_only()
                .column(task::Column::Id)
                .column(task::Column::State)
                .filter(task::Column::Id.is_in(chunk.iter().copied()))
                .into_tuple()
                .all(self.reader())
                .await?;
            states.extend(found);
        }
        rows.into_iter()
            .map(|row| {
                let state = row.last_task.and_then(|id| states.get(&id)).map(|state| task_state(state));
                read(row, state.transpose()?)
            })
            .collect()
    }
}

/// A queued task is one that waits, to clients.
pub(super) fn task_state(text: &str) -> Result<TaskState> {
    match text {
        "queued" => Ok(TaskState::Waiting),
        other => other.parse().map_err(|()| StorageError::corrupt("task state", other.to_owned())),
    }
}

fn read(row: Model, last_task_state: Option<TaskState>) -> Result<Schedule> {
    let moment = |micros: Option<i64>| micros.map(Timestamp::from_micros);
    let policy = |text: &str| StorageError::corrupt("schedule's policy", text.to_owned());
    Ok(Schedule {
        id: row.id,
        created: Timestamp::from_micros(row.created),
        updated: Timestamp::from_micros(row.updated),
        name: row.name,
        expression: row.expression,
        time_zone: row.time_zone,
        work: labels::read("schedule's work", row.work)?,
        task_name: row.task_name,
        jitter_secs: row.jitter_secs,
        on_overlap: row.on_overlap.parse().map_err(|()| policy(&row.on_overlap))?,
        on_missed: row.on_missed.parse().map_err(|()| policy(&row.on_missed))?,
        enabled: row.enabled,
        next_fire: moment(row.next_fire),
        next_due: moment(row.due_at),
        last_fire: moment(row.last_fire),
        last_task: row.last_task.filter(|_| last_task_state.is_some()),
        last_task_state,
        missed_fires: row.missed_fires,
        skipped_fires: row.skipped_fires,
        last_error: row.last_error,
        created_by: row.created_by,
    })
}

/// The timetable of a row, or what is wrong with which field.
fn timetable(expression: &str, time_zone: &str) -> Result<Timetable> {
    Timetable::parse(expression, time_zone).map_err(|error| match error {
        ScheduleError::UnknownZone(_) => StorageError::invalid("time_zone", error.to_string()),
        error => StorageError::invalid("schedule", error.to_string()),
    })
}

impl Tx {
    /// Makes a schedule. Its first fire is the next one from now.
    pub async fn create_schedule(&self, new: NewSchedule) -> Result<Schedule> {
        self.lock_resources().await?;
        self.check_schedule_name(&new.name, None).await?;
        self.check_work(&new.work).await?;
        let timetable = timetable(&new.expression, &new.time_zone)?;
        let (id, now) = (Uuid::now_v7(), self.now_micros());
        let recurrence =
            Recurrence { schedule: id, timetable, jitter_secs: new.jitter_secs, on_missed: new.on_missed };
        let next = new.enabled.then(|| recurrence.next_after(self.now())).flatten();
        let row = ActiveModel {
            id: Set(id),
            name: Set(new.name),
            expression: Set(recurrence.timetable.expression().to_owned()),
            time_zone: Set(recurrence.timetable.zone_name().to_owned()),
            work: Set(labels::write(&new.work)),
            task_name: Set(new.work.task_name().to_owned()),
            repository_id: Set(new.work.repository()),
            remote_id: Set(new.work.remote()),
            jitter_secs: Set(new.jitter_secs),
            on_overlap: Set(new.on_overlap.to_string()),
            on_missed: Set(new.on_missed.to_string()),
            enabled: Set(new.enabled),
            next_fire: Set(next.map(|(fire, _)| fire.as_micros())),
            due_at: Set(next.map(|(_, due)| due.as_micros())),
            last_fire: Set(None),
            last_task: Set(None),
            missed_fires: Set(0),
            skipped_fires: Set(0),
            last_error: Set(None),
            created_by: Set(new.created_by),
            created: Set(now),
            updated: Set(now),
        };
        read(row.insert(&self.inner).await?, None)
    }

    /// Changes a schedule. Where that moves its fires, the next one is the first from now that is later than the last
    /// one: no fire comes twice.
    pub async fn update_schedule(&self, id: Uuid, changes: ScheduleChanges) -> Result<Schedule> {
        self.lock_resources().await?;
        let held = self.lock_schedule(id).await?;
        if let Some(name) = &changes.name {
            self.check_schedule_name(name, Some(id)).await?;
        }
        if let Some(work) = &changes.work {
            self.check_work(work).await?;
        }
        let timetable = timetable(
            changes.expression.as_deref().unwrap_or(&held.expression),
            changes.time_zone.as_deref().unwrap_or(&held.time_zone),
        )?;
        let enabled = changes.enabled.unwrap_or(held.enabled);
        let moved = timetable.expression() != held.expression || timetable.zone_name() != held.time_zone;
        let jitter_secs = changes.jitter_secs.unwrap_or(held.jitter_secs);
        let recurrence =
            Recurrence { schedule: id, timetable, jitter_secs, on_missed: MissedPolicy::default() };
        let next = match held.next_fire.filter(|_| !moved) {
            _ if !enabled => None,
            Some(fire) => {
                let fire = Timestamp::from_micros(fire);
                Some((fire, recurrence.due_at(fire)))
            }
            None => {
                let last = held.last_fire.map_or(self.now(), Timestamp::from_micros);
                recurrence.next_after(self.now().max(last))
            }
        };
        let is_mended = changes.work.is_some() || changes.enabled == Some(true);
        let mut row = held.into_active_model();
        row.name = changes.name.map_or(row.name, Set);
        row.expression = Set(recurrence.timetable.expression().to_owned());
        row.time_zone = Set(recurrence.timetable.zone_name().to_owned());
        if let Some(work) = changes.work {
            row.work = Set(labels::write(&work));
            row.task_name = Set(work.task_name().to_owned());
            row.repository_id = Set(work.repository());
            row.remote_id = Set(work.remote());
        }
        row.jitter_secs = Set(jitter_secs);
        row.on_overlap = changes.on_overlap.map_or(row.on_overlap, |policy| Set(policy.to_string()));
        row.on_missed = changes.on_missed.map_or(row.on_missed, |policy| Set(policy.to_string()));
        row.enabled = Set(enabled);
        row.next_fire = Set(next.map(|(fire, _)| fire.as_micros()));
        row.due_at = Set(next.map(|(_, due)| due.as_micros()));
        row.last_error = if is_mended { Set(None) } else { row.last_error };
        row.updated = Set(self.now_micros());
        let row = row.update(&self.inner).await?;
        let state = self.last_task_state(&row).await?;
        read(row, state)
    }

    /// Deletes a schedule. Tasks that it started go on.
    pub async fn delete_schedule(&self, id: Uuid) -> Result<()> {
        let gone = Entity::delete_by_id(id).exec(&self.inner).await?;
        if gone.rows_affected == 0 { Err(absent()) } else { Ok(()) }
    }

    /// The row of a schedule, which nobody else changes until the transaction ends.
    pub(super) async fn lock_schedule(&self, id: Uuid) -> Result<Model> {
        Entity::find_by_id(id).lock_exclusive().one(&self.inner).await?.ok_or_else(absent)
    }

    /// Where the task stands that was last started; `None` when there is none any more.
    pub(super) async fn last_task_state(&self, row: &Model) -> Result<Option<TaskState>> {
        let Some(id) = row.last_task else { return Ok(None) };
        let found = task::Entity::find().filter(task::Column::Id.eq(id)).one(&self.inner).await?;
        found.map(|row| task_state(&row.state)).transpose()
    }

    async fn check_schedule_name(&self, name: &str, own: Option<Uuid>) -> Result<()> {
        let taken = Entity::find().filter(Column::Name.eq(name)).one(&self.inner).await?;
        must_be_free(taken.map(|row| row.id), own, "name")
    }

    /// Refuses work that names something that doesn't exist, or that says too little.
    async fn check_work(&self, work: &ScheduledWork) -> Result<()> {
        let missing = |field| Err(StorageError::invalid(field, "Invalid hyperlink - Object does not exist."));
        let mut own_remote = None;
        if let Some(id) = work.repository() {
            match repository::Entity::find_by_id(id).one(&self.inner).await? {
                Some(row) => own_remote = row.remote_id,
                None => return missing("repository"),
            }
        }
        if let Some(id) = work.remote()
            && remote::Entity::find_by_id(id).count(&self.inner).await? == 0
        {
            return missing("remote");
        }
        if work.resolve(own_remote, self.now()).is_none() {
            return Err(StorageError::invalid("remote", super::schedule_fires::NO_REMOTE));
        }
        Ok(())
    }
}

fn absent() -> StorageError {
    StorageError::NotFound { kind: "TaskSchedule" }
}
