//! Finds, among all that is logged, what belongs to a task.

use std::fmt::{Debug, Write as _};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;
use uuid::Uuid;

use super::{MAX_LINE_BYTES, TaskLogs};
use crate::execute::JOB_SPAN;

/// Gives everything that is logged inside a job's span to [`TaskLogs`]. A filter decides what it gets to see.
#[derive(Debug, Clone)]
pub struct TaskLogLayer(TaskLogs);

/// The task that a span is about.
struct TaskOfSpan(Uuid);

impl TaskLogs {
    /// The layer that fills it.
    pub fn layer(&self) -> TaskLogLayer {
        TaskLogLayer(self.clone())
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for TaskLogLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().name() != JOB_SPAN {
            return;
        }
        let mut found = TaskId(None);
        attributes.record(&mut found);
        if let (Some(task), Some(span)) = (found.0, context.span(id)) {
            span.extensions_mut().insert(TaskOfSpan(task));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let spans = context.event_scope(event).into_iter().flatten();
        let task =
            spans.into_iter().find_map(|span| span.extensions().get::<TaskOfSpan>().map(|task| task.0));
        if let Some(task) = task {
            let mut text = Text::default();
            event.record(&mut text);
            let metadata = event.metadata();
            self.0.push(task, *metadata.level(), metadata.target(), text.finish());
        }
    }
}

struct TaskId(Option<Uuid>);

impl Visit for TaskId {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "task.id" {
            self.0 = Uuid::try_parse(&format!("{value:?}")).ok();
        }
    }
}

/// The message, and behind it the fields as `name=value`.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn finish(self) -> String {
        let mut text = self.message + &self.fields;
        if text.len() > MAX_LINE_BYTES {
            text.truncate(text.floor_char_boundary(MAX_LINE_BYTES - '…'.len_utf8()));
            text.push('…');
        }
        // PostgreSQL keeps no NUL.
        if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
    }

    fn add(&mut self, field: &Field, value: std::fmt::Arguments<'_>) {
        // Writing to a text cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value}"),
            // What `log` adds to records of its own.
            name if name.starts_with("log.") => Ok(()),
            name => write!(self.fields, " {name}={value}"),
        };
    }
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn what_is_logged_inside_a_job_is_flattened_and_cut() {
        let logs = TaskLogs::default();
        let [worker, task] = [(); 2].map(|()| Uuid::now_v7());
        logs.begin(task, worker, 0);
        let subscriber = tracing_subscriber::registry().with(logs.layer());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("outside");
            let job = tracing::info_span!("job", task.id = %task, task.name = "x");
            job.in_scope(|| {
                tracing::info!(blobs = 3, url = "http://h/v2/a", error = ?Some(1), "fetched");
                tracing::info_span!("inner").in_scope(|| tracing::error!("nul \0"));
                tracing::debug!("{}", "é".repeat(MAX_LINE_BYTES));
            });
        });
        let lines: Vec<_> = logs.take(worker).into_iter().map(|(_, line)| line).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0].message, "fetched blobs=3 url=http://h/v2/a error=Some(1)");
        assert_eq!((lines[0].level, lines[0].target.as_str()), ("info", module_path!()));
        assert_eq!((lines[1].level, lines[1].message.as_str()), ("error", "nul \u{fffd}"));
        assert!(lines[2].message.len() <= MAX_LINE_BYTES && lines[2].message.ends_with("é…"));
    }
}
