//! Schedules: when recurring tasks run, what they run, and what happens when that does not fit.
//!
//! Nothing here reads a clock or a database: the moment is passed in. A [`Timetable`] is an expression as
//! cron(5) describes them together with a zone of the IANA database; it gives the fires after any moment. When a fire
//! is due, on time or missed, a [`Recurrence`] decides.

mod expression;
mod field;
mod recurrence;
#[cfg(test)]
mod tests;
mod timetable;
mod work;

pub use expression::Expression;
pub use recurrence::{Decision, ON_TIME_SECS, Recurrence};
pub use timetable::Timetable;
pub use work::{MissedPolicy, OverlapPolicy, ScheduledWork};

use thiserror::Error;

/// Longest expression that is accepted, in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 255;
/// Longest jitter that is accepted, in seconds: a day.
pub const MAX_JITTER_SECS: i64 = 86_400;

/// Why an expression or a time zone is refused. The text names the field and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// More than [`MAX_EXPRESSION_BYTES`].
    #[error("the expression is longer than {MAX_EXPRESSION_BYTES} bytes")]
    TooLong,
    /// Neither five nor six fields.
    #[error(
        "the expression has {0} fields: write five (minute, hour, day of month, month, day of week), or six with \
         the second in front"
    )]
    FieldCount(usize),
    /// A word with `@` that stands for nothing.
    #[error("\"{0}\" is not known: use @hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually")]
    UnknownWord(String),
    /// One field is malformed.
    #[error("the {field} \"{text}\" {problem}")]
    Field {
        /// Which.
        field: &'static str,
        /// The part of it that is wrong.
        text: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// No day of any year fulfils it.
    #[error("the expression never fires: none of its months has such a day")]
    NeverFires,
    /// The IANA database has no such zone.
    #[error("\"{0}\" is not a time zone of the IANA database: write one such as UTC or Europe/Berlin")]
    UnknownZone(String),
}
