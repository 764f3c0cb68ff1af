//! `GET /tasks/<id>/events/`: a task's changes as they happen, as server-sent events (WHATWG HTML, "Server-sent
//! events").
//!
//! `task` is the task as `GET /tasks/<id>/` shows it: at once, when its state changes, and otherwise once a second at
//! most. `log` is a line of its log. `end` comes last, after the final state. An event's id says what the client has
//! seen; a client that comes back with it in `Last-Event-ID` is sent only what is new.

use std::collections::VecDeque;
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt as _, unfold};
use openapi::objects::AnyJson;
use openapi::{Events, Json};
use poem::web::sse::Event;
use poem_openapi::ApiResponse;
use poem_openapi::types::{Any, ToJSON};
use registry::href::Kind;
use registry::task::TaskState;
use serde_json::json;
use storage::{Changes, StorageError};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use uuid::Uuid;

use super::{logs, show::show};
use crate::AppState;
use crate::api::error::ApiError;
use crate::metrics::OpenEventStream;
use crate::telemetry::CorrelationId;

/// Progress and lines of the log are sent so often at most.
const PERIOD: Duration = Duration::from_secs(1);
/// How soon the database is asked again when things change quickly.
const REST: Duration = Duration::from_millis(100);
/// The last lines are written a moment after the task has ended.
const LOG_PATIENCE: Duration = Duration::from_millis(500);
/// Proxies cut connections that are silent for long.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Most lines that are read at a time.
const LINES: u64 = 200;

/// A task's changes, as they happen.
#[derive(ApiResponse)]
pub(crate) enum TaskEvents {
    /// Server-sent events: `task` with the task, `log` with a line of its log, and `end` after its final state.
    #[oai(status = 200)]
    Stream(Events),
    /// The client has seen the end; browsers then stop to ask.
    #[oai(status = 204)]
    Over,
    /// Too many streams are open.
    #[oai(status = 503)]
    Busy(
        Json<AnyJson>,
        /// Seconds to wait.
        #[oai(header = "Retry-After")]
        u32,
    ),
}

pub(super) async fn watch(
    state: &AppState,
    cid: &CorrelationId,
    id: Uuid,
    last_event_id: Option<&str>,
) -> Result<TaskEvents, ApiError> {
    // Asked for before the first look, so that no change falls between.
    let changes = state.catalog.changes();
    let found = state.catalog.find_task_stamp(id).await;
    found
        .map_err(|error| ApiError::from_storage(error, cid))?
        .ok_or_else(|| ApiError::not_found(Kind::Task))?;
    let seen = last_event_id.and_then(Seen::read).unwrap_or_default();
    if seen.end {
        return Ok(TaskEvents::Over);
    }
    let Ok(permit) = state.event_streams.clone().try_acquire_owned() else {
        let detail = "Too many streams of events are open. Ask for the task itself, or try again later.";
        return Ok(TaskEvents::Busy(Json(Any(json!({"detail": detail}))), 10));
    };
    let watch = Watch {
        open: (permit, state.metrics.http().enter_event_stream()),
        state: state.clone(),
        id,
        changes,
        seen,
        sent_state: None,
        sent_at: None,
        ready: VecDeque::new(),
    };
    Ok(TaskEvents::Stream(Events::new(watch.into_stream(), HEARTBEAT)))
}

/// What a client has seen: `<when the task last changed>-<line of the log>`, and `-end` behind it at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Seen {
    updated: i64,
    line: i64,
    end: bool,
}

impl Seen {
    /// Anything that is not one of our ids counts as none.
    fn read(text: &str) -> Option<Self> {
        let (rest, end) = text.strip_suffix("-end").map_or((text, false), |rest| (rest, true));
        let (updated, line) = rest.split_once('-')?;
        Some(Self { updated: updated.parse().ok()?, line: line.parse().ok()?, end })
    }

    fn id(self) -> String {
        format!("{}-{}{}", self.updated, self.line, if self.end { "-end" } else { "" })
    }
}

struct Watch {
    /// Given back when the stream is dropped.
    #[expect(dead_code, reason = "they count while they live")]
    open: (OwnedSemaphorePermit, OpenEventStream),
    state: AppState,
    id: Uuid,
    changes: Changes,
    seen: Seen,
    sent_state: Option<TaskState>,
    sent_at: Option<Instant>,
    /// Events that are to be sent before anything else is looked for.
    ready: VecDeque<Event>,
}

impl Watch {
    /// Ends after the task, with the server, or when the database fails: then the client comes back.
    fn into_stream(self) -> BoxStream<'static, Event> {
        let closing = self.state.closing.clone();
        unfold(self, async |mut watch| {
            let event = watch.next().await.unwrap_or_else(|error| {
                tracing::warn!(error = registry::chain(&error), "a stream of events broke off");
                None
            });
            event.map(|event| (event, watch))
        })
        .take_until(closing.cancelled_owned())
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<Event>, StorageError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            if self.seen.end {
                return Ok(None);
            }
            self.look().await?;
            if self.ready.is_empty() {
                tokio::time::sleep(REST).await;
                self.changes.next(PERIOD.saturating_sub(REST)).await;
            }
        }
    }

    /// Makes events of what is new.
    async fn look(&mut self) -> Result<(), StorageError> {
        let Some(stamp) = self.state.catalog.find_task_stamp(self.id).await? else {
            // Deleted meanwhile, and so ended.
            self.end(None);
            return Ok(());
        };
        let is_due = self.sent_at.is_none_or(|sent| sent.elapsed() >= PERIOD);
        // Whoever comes back has the state that belongs to what they saw.
        let is_new = stamp.updated.as_micros() != self.seen.updated;
        let has_moved = is_new && self.sent_state != Some(stamp.state);
        if !is_due && !has_moved {
            return Ok(());
        }
        self.sent_at = Some(Instant::now());
        self.add_lines().await?;
        let state = if is_new { self.add_task().await?.unwrap_or(stamp.state) } else { stamp.state };
        self.sent_state = Some(state);
        if state.is_final() {
            tokio::time::sleep(LOG_PATIENCE).await;
            self.add_lines().await?;
            self.end(Some(state));
        }
        Ok(())
    }

    async fn add_lines(&mut self) -> Result<(), StorageError> {
        loop {
            let lines = self.state.catalog.task_log_after(self.id, self.seen.line, LINES).await?;
            let is_last = (lines.len() as u64) < LINES;
            for line in lines {
                self.seen.line = line.seq;
                self.add("log", logs::show(line).to_json_string());
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// What changed since the stamp was read is part of what is sent.
    async fn add_task(&mut self) -> Result<Option<TaskState>, StorageError> {
        let Some(task) = self.state.catalog.find_task(self.id).await? else { return Ok(None) };
        let state = task.state;
        self.seen.updated = task.updated.as_micros();
        self.add("task", show(task).to_json_string());
        Ok(Some(state))
    }

    fn end(&mut self, state: Option<TaskState>) {
        self.seen.end = true;
        self.add("end", json!({"state": state.map(TaskState::as_str)}).to_string());
    }

    fn add(&mut self, kind: &str, data: String) {
        self.ready.push_back(Event::message(data).event_type(kind).id(self.seen.id()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_has_seen_is_read_back() {
        for end in [false, true] {
            let seen = Seen { updated: 1_795_504_756_000_000, line: 17, end };
            assert_eq!(Seen::read(&seen.id()), Some(seen));
        }
        for foreign in ["", "7", "a-b", "1-2-3", "-end"] {
            assert_eq!(Seen::read(foreign), None, "{foreign}");
        }
    }
}
