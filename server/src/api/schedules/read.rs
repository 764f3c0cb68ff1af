//! Reads what a body says about a schedule.

use openapi::objects::ScheduledTaskKind;
use registry::href::Kind;
use registry::schedule::{Expression, MAX_JITTER_SECS, ScheduledWork, Timetable};
use storage::ScheduleChanges;

use crate::ServerConfig;
use crate::api::error::ApiError;
use crate::api::fields::Fields;
use crate::api::orphans::protection_minutes;
use crate::api::repositories::NO_SIGNED_ONLY;
use crate::api::tasks::purge::{DEFAULT_AGE_DAYS, states};

pub(super) fn read(mut fields: Fields, config: &ServerConfig) -> Result<ScheduleChanges, ApiError> {
    let changes = ScheduleChanges {
        name: fields.name("name"),
        expression: expression(&mut fields),
        time_zone: time_zone(&mut fields),
        work: fields.object("task", |fields| work(fields, config.orphan_protection_minutes)),
        jitter_secs: jitter(&mut fields),
        on_overlap: fields.choice("on_overlap", |text| text.parse().ok()),
        on_missed: fields.choice("on_missed", |text| text.parse().ok()),
        enabled: fields.boolean("enabled"),
    };
    fields.finish()?;
    Ok(changes)
}

fn expression(fields: &mut Fields) -> Option<String> {
    let text = fields.text("schedule")?;
    if let Err(error) = Expression::parse(&text) {
        fields.refuse("schedule", error.to_string());
        return None;
    }
    Some(text)
}

fn time_zone(fields: &mut Fields) -> Option<String> {
    let text = fields.text("time_zone")?;
    if let Err(error) = Timetable::parse("@daily", &text) {
        fields.refuse("time_zone", error.to_string());
        return None;
    }
    Some(text)
}

fn jitter(fields: &mut Fields) -> Option<i64> {
    let seconds = fields.nullable_number("jitter", 0)?.unwrap_or(0);
    if seconds > MAX_JITTER_SECS {
        fields.refuse("jitter", format!("Ensure this value is less than or equal to {MAX_JITTER_SECS}."));
        return None;
    }
    Some(seconds)
}

/// The object `task`: its kind says which further fields it has.
fn work(fields: &mut Fields, protection_minutes_by_default: u32) -> Option<ScheduledWork> {
    fields.require(&["kind"]);
    let read = fields.choice("kind", |kind| match kind {
        "sync" => Some(ScheduledTaskKind::Sync),
        "purge" => Some(ScheduledTaskKind::Purge),
        "orphan_cleanup" => Some(ScheduledTaskKind::OrphanCleanup),
        _ => None,
    });
    match read {
        Some(ScheduledTaskKind::Sync) => sync(fields),
        Some(ScheduledTaskKind::Purge) => Some(purge(fields)),
        Some(ScheduledTaskKind::OrphanCleanup) => {
            let protection_minutes = protection_minutes(fields).unwrap_or(protection_minutes_by_default);
            Some(ScheduledWork::OrphanCleanup { protection_minutes })
        }
        Some(ScheduledTaskKind::Unknown) | None => {
            fields.ignore_rest();
            None
        }
    }
}

fn sync(fields: &mut Fields) -> Option<ScheduledWork> {
    fields.require(&["repository"]);
    let repository = fields.nullable_href("repository", Kind::Repository);
    if repository == Some(None) {
        fields.refuse("repository", "This field may not be null.");
    }
    let remote = fields.nullable_href("remote", Kind::Remote).flatten();
    let mirror = fields.boolean("mirror").unwrap_or(false);
    if fields.boolean("signed_only") == Some(true) {
        fields.refuse("signed_only", NO_SIGNED_ONLY);
    }
    Some(ScheduledWork::Sync { repository: repository.flatten()?, remote, mirror, signed_only: false })
}

fn purge(fields: &mut Fields) -> ScheduledWork {
    let older_than_days = fields.nullable_number("older_than_days", 0).flatten().unwrap_or(DEFAULT_AGE_DAYS);
    ScheduledWork::Purge { older_than_days, states: states(fields) }
}
