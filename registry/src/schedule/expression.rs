//! Expressions as cron(5) describes them, with an optional field for the second in front.
//!
//! The `cron` crate finds the times. It reads another dialect, though: Sunday is 1, a day has to fulfil both day
//! fields, and five fields are refused. What people have in their crontabs would run on other days, so fields are
//! read here, and handed on as plain lists of numbers in the crate's meaning.

use std::str::FromStr;

use cron::Schedule;

use super::field::{DAY, HOUR, MINUTE, MONTH, SECOND, Values, WEEKDAY};
use super::{MAX_EXPRESSION_BYTES, ScheduleError};

/// 2000-01-01T00:00:00 in seconds since 1970.
const YEAR_2000: i64 = 946_684_800;
/// How far fires are looked for. The 29th of February on one day of the week comes after 40 years at most.
pub(super) const HORIZON_SECS: i64 = 50 * 366 * 86_400;

/// An expression that fires at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    /// It fires when one of these does: there are two when both the day of month and the day of week are restricted.
    schedules: Vec<Schedule>,
    is_interval: bool,
}

impl Expression {
    /// Reads five fields (minute, hour, day of month, month, day of week), six (with the second in front), or a
    /// word such as `@daily`. Lists, ranges, steps behind `*` or a range, and English names of months and days are
    /// understood; 0 and 7 are Sunday. When both the day of month and the day of week are restricted, a day has to
    /// fulfil one of them; a field that begins with `*` is not restricted (cron(5), Vixie cron).
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        if text.len() > MAX_EXPRESSION_BYTES {
            return Err(ScheduleError::TooLong);
        }
        let text = text.trim();
        let text = if text.starts_with('@') { meaning_of(text)? } else { text };
        let fields: Vec<&str> = text.split_whitespace().collect();
        let (second, rest) = match fields.len() {
            5 => (Values::only(0), &fields[..]),
            6 => (SECOND.parse(fields[0])?, &fields[1..]),
            count => return Err(ScheduleError::FieldCount(count)),
        };
        let (minute, hour) = (MINUTE.parse(rest[0])?, HOUR.parse(rest[1])?);
        let (day, month, weekday) = (DAY.parse(rest[2])?, MONTH.parse(rest[3])?, WEEKDAY.parse(rest[4])?);
        let schedule = |day: &str, weekday: &str| {
            let [second, minute, hour, month] = [second, minute, hour, month].map(|values| values.list(0));
            let text = format!("{second} {minute} {hour} {day} {month} {weekday}");
            Schedule::from_str(&text).map_err(|_| ScheduleError::NeverFires)
        };
        // To the crate, Sunday is 1.
        let (days, weekdays) = (day.list(0), weekday.list(1));
        let schedules = if day.is_starred || weekday.is_starred {
            vec![schedule(&days, &weekdays)?]
        } else {
            vec![schedule(&days, "*")?, schedule("*", &weekdays)?]
        };
        let is_interval = second.is_starred || minute.is_starred || hour.is_starred;
        let expression = Self { schedules, is_interval };
        let fires = expression.next_local(YEAR_2000, YEAR_2000 + HORIZON_SECS).is_some();
        if fires { Ok(expression) } else { Err(ScheduleError::NeverFires) }
    }

    /// Whether it means "every so often" rather than "at this time of day": the second, minute or hour is a
    /// wildcard. cron treats the two differently when the clocks change.
    pub(super) fn is_interval(&self) -> bool {
        self.is_interval
    }

    /// The first local time in `from..until` that fulfils it. Both are seconds on the clock of the place, since 1970.
    pub(super) fn next_local(&self, from: i64, until: i64) -> Option<i64> {
        // The crate looks for later times than the one that it is given. The clock of the place passes for UTC.
        let before = chrono::DateTime::from_timestamp(from - 1, 0)?;
        let firsts = self.schedules.iter().filter_map(|schedule| schedule.after(&before).next());
        firsts.map(|first| first.timestamp()).min().filter(|first| *first < until)
    }
}

fn meaning_of(word: &str) -> Result<&'static str, ScheduleError> {
    Ok(match word.to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => return Err(ScheduleError::UnknownWord(word.escape_debug().to_string())),
    })
}
