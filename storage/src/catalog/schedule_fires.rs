//! Firing schedules: exactly once for each schedule and fire time, however many processes look.
//!
//! Each fire is one short transaction. It moves `next_fire` on by a compare-and-set, so that of two processes one finds
//! it moved, and a fire time never comes again, whatever the clocks do; and it accepts the task under the unique key of
//! schedule and fire time. The schedule's row is locked first and the queue's lock is taken last, as everywhere.

use registry::Timestamp;
use registry::schedule::{Decision, OverlapPolicy, Recurrence, ScheduledWork, Timetable};
use registry::task::{Reservation, TaskState, Work};
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{Catalog, Tx, labels};
use crate::NewTask;
use crate::entity::repository;
use crate::entity::schedule::{Column, Entity, Model};
use crate::error::{Result, StorageError};

/// Why a sync of a repository without a remote can't start, in the words of the API.
pub(super) const NO_REMOTE: &str = "This field is required since a remote is not set on the repository.";

/// What [`Catalog::fire_due_schedules`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FireReport {
    /// Fires that started a task.
    pub started: usize,
    /// Fires that started none, since the previous task was unfinished.
    pub skipped: usize,
    /// Fires that nobody was there for.
    pub missed: i64,
    /// Fires that could start no task; the schedule says why.
    pub failed: usize,
    /// When the next schedule comes due. In the past, when another process is firing it just now.
    pub next_due: Option<Timestamp>,
}

enum Fired {
    Started,
    Skipped,
    Failed(String),
    /// Nobody was there in time.
    Nothing,
}

impl Catalog {
    /// Fires every schedule that is due. Any number of processes may call this at any time.
    pub async fn fire_due_schedules(&self) -> Result<FireReport> {
        let mut report = FireReport::default();
        loop {
            // Without a transaction: nearly always nothing is due.
            report.next_due = self.next_schedule_due().await?;
            if report.next_due.is_none_or(|due| due > self.now()) {
                return Ok(report);
            }
            let mut tx = self.begin().await?;
            if !tx.fire_one_schedule(&mut report).await? {
                return Ok(report);
            }
            tx.commit().await?;
        }
    }

    async fn next_schedule_due(&self) -> Result<Option<Timestamp>> {
        let due: Option<Option<i64>> = Entity::find()
            .select_only()
            .column_as(Column::DueAt.min(), "due_at")
            .filter(is_known())
            .into_tuple()
            .one(self.reader())
            .await?;
        Ok(due.flatten().map(Timestamp::from_micros))
    }
}

impl Tx {
    /// Starts the task of a schedule now, whatever the time and the policies are, and whether it is enabled or not.
    pub async fn run_schedule(
        &mut self,
        id: Uuid,
        created_by: Option<Uuid>,
        correlation_id: String,
    ) -> Result<Uuid> {
        let row = self.lock_schedule(id).await?;
        let (work, reservations) =
            self.resolve_work(&row).await?.ok_or_else(|| StorageError::invalid("remote", NO_REMOTE))?;
        let task =
            self.submit(NewTask { created_by, correlation_id, ..NewTask::new(work, reservations) }).await?;
        self.set_last_task(id, task).await?;
        Ok(task)
    }

    /// Fires the schedule that is due longest, once. `false` when none is left that no other process has in hand.
    async fn fire_one_schedule(&mut self, report: &mut FireReport) -> Result<bool> {
        let due = Entity::find()
            .filter(Column::DueAt.lte(self.now_micros()))
            .filter(is_known())
            .order_by_asc(Column::DueAt)
            .order_by_asc(Column::Id)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .one(&self.inner)
            .await?;
        let Some(row) = due else { return Ok(false) };
        let recurrence = match recurrence(&row) {
            Ok(recurrence) => recurrence,
            Err(problem) => {
                tracing::error!(
                    schedule.name = row.name,
                    problem,
                    "a schedule cannot be read and was disabled"
                );
                self.disable(&row, problem).await?;
                report.failed += 1;
                return Ok(true);
            }
        };
        let first = Timestamp::from_micros(row.next_fire.unwrap_or(self.now_micros()));
        // Another release may reckon the jitter otherwise: what came due stays due.
        let decision = recurrence.decide(first, self.now()).unwrap_or(Decision {
            run: Some(first),
            missed: 0,
            last_fire: first,
            resume_after: first,
        });
        let fired = match decision.run {
            Some(_) if self.overlaps(&row).await? => Fired::Skipped,
            Some(_) => Fired::Started,
            None => Fired::Nothing,
        };
        let next = recurrence.next_after(decision.resume_after);
        if !self.move_on(&row, decision, next, matches!(fired, Fired::Skipped)).await? {
            return Ok(true);
        }
        report.missed += decision.missed;
        let fired = match (fired, decision.run) {
            (Fired::Started, Some(fire)) => self.start(&row, fire).await?,
            (fired, _) => fired,
        };
        match fired {
            Fired::Started => report.started += 1,
            Fired::Skipped => report.skipped += 1,
            Fired::Failed(problem) => {
                tracing::warn!(schedule.name = row.name, problem, "a schedule could not start its task");
                self.set_error(row.id, Some(problem)).await?;
                report.failed += 1;
            }
            Fired::Nothing => {}
        }
        Ok(true)
    }

    async fn overlaps(&self, row: &Model) -> Result<bool> {
        let skips = row.on_overlap == OverlapPolicy::Skip.as_str();
        Ok(skips && self.last_task_state(row).await?.is_some_and(|state: TaskState| !state.is_final()))
    }

    /// Takes the fires that were decided on from everybody else. `false` when somebody took them first.
    async fn move_on(
        &self,
        row: &Model,
        decision: Decision,
        next: Option<(Timestamp, Timestamp)>,
        is_skipped: bool,
    ) -> Result<bool> {
        let moved = Entity::update_many()
            .col_expr(Column::NextFire, Expr::value(next.map(|(fire, _)| fire.as_micros())))
            .col_expr(Column::DueAt, Expr::value(next.map(|(_, due)| due.as_micros())))
            .col_expr(Column::LastFire, Expr::value(decision.last_fire.as_micros()))
            .col_expr(Column::MissedFires, Expr::col(Column::MissedFires).add(decision.missed))
            .col_expr(Column::SkippedFires, Expr::col(Column::SkippedFires).add(i64::from(is_skipped)))
            .filter(Column::Id.eq(row.id))
            .filter(Column::NextFire.eq(row.next_fire))
            .exec(&self.inner)
            .await?;
        Ok(moved.rows_affected == 1)
    }

    async fn start(&mut self, row: &Model, fire: Timestamp) -> Result<Fired> {
        let Some((work, reservations)) = self.resolve_work(row).await? else {
            return Ok(Fired::Failed(format!("remote: {NO_REMOTE}")));
        };
        let new = NewTask {
            created_by: row.created_by,
            // The tasks of a schedule can be listed by its id.
            correlation_id: row.id.simple().to_string(),
            dedupe_key: Some(format!("schedule:{}:{}", row.id, fire.as_micros())),
            ..NewTask::new(work, reservations)
        };
        let task = self.submit(new).await?;
        self.set_last_task(row.id, task).await?;
        Ok(Fired::Started)
    }

    /// The work and its reservations; `None` while the repository has no remote and the schedule names none.
    async fn resolve_work(&self, row: &Model) -> Result<Option<(Work, Vec<Reservation>)>> {
        let work: ScheduledWork = labels::read("schedule's work", row.work.clone())?;
        let own_remote = match work.repository() {
            Some(id) => {
                repository::Entity::find_by_id(id).one(&self.inner).await?.and_then(|row| row.remote_id)
            }
            None => None,
        };
        Ok(work.resolve(own_remote, self.now()))
    }

    async fn set_last_task(&self, id: Uuid, task: Uuid) -> Result<()> {
        let change = Entity::update_many()
            .col_expr(Column::LastTask, Expr::value(task))
            .col_expr(Column::LastError, Expr::value(None::<String>));
        change.filter(Column::Id.eq(id)).exec(&self.inner).await.map(drop).map_err(Into::into)
    }

    async fn set_error(&self, id: Uuid, problem: Option<String>) -> Result<()> {
        let change = Entity::update_many().col_expr(Column::LastError, Expr::value(problem));
        change.filter(Column::Id.eq(id)).exec(&self.inner).await.map(drop).map_err(Into::into)
    }

    async fn disable(&self, row: &Model, problem: String) -> Result<()> {
        let change = Entity::update_many()
            .col_expr(Column::Enabled, Expr::value(false))
            .col_expr(Column::NextFire, Expr::value(None::<i64>))
            .col_expr(Column::DueAt, Expr::value(None::<i64>))
            .col_expr(Column::LastError, Expr::value(Some(problem)));
        change.filter(Column::Id.eq(row.id)).exec(&self.inner).await.map(drop).map_err(Into::into)
    }
}

/// A later release, which runs beside this one during an upgrade, fires what only it knows.
fn is_known() -> Expr {
    Column::TaskName.is_in(ScheduledWork::known_task_names())
}

/// The recurrence of a row, or why it can't be read: a zone that the IANA database gave up, or an edited row.
fn recurrence(row: &Model) -> std::result::Result<Recurrence, String> {
    labels::read::<ScheduledWork>("schedule's work", row.work.clone()).map_err(|error| error.to_string())?;
    let timetable = Timetable::parse(&row.expression, &row.time_zone).map_err(|error| error.to_string())?;
    let on_missed = row.on_missed.parse().map_err(|()| "the policy for missed fires is unknown")?;
    Ok(Recurrence { schedule: row.id, timetable, jitter_secs: row.jitter_secs, on_missed })
}
