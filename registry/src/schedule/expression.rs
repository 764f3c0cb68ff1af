//! Expressions as cron(5) describes them, with an optional field for the second in front.
//!
//! The `cron` crate reads another dialect: Sunday is 1, a day has to fulfil both day fields, and five fields are
//! refused. What people have in their crontabs would run on other days, so expressions are read here.

use jiff::tz::Offset;

use super::field::{DAY, HOUR, MINUTE, MONTH, SECOND, Values, WEEKDAY};
use super::{MAX_EXPRESSION_BYTES, ScheduleError};

/// Seconds of a day.
const DAY_SECS: i64 = 86_400;
/// 2000-01-01T00:00:00 in seconds since 1970.
const YEAR_2000: i64 = 946_684_800;
/// How far fires are looked for. The 29th of February on one day of the week comes after 40 years at most.
pub(super) const HORIZON_SECS: i64 = 50 * 366 * DAY_SECS;

/// An expression that fires at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expression {
    seconds: Values,
    minutes: Values,
    hours: Values,
    days: Values,
    months: Values,
    weekdays: Values,
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
        let expression = Self {
            seconds: second,
            minutes: MINUTE.parse(rest[0])?,
            hours: HOUR.parse(rest[1])?,
            days: DAY.parse(rest[2])?,
            months: MONTH.parse(rest[3])?,
            weekdays: WEEKDAY.parse(rest[4])?,
        };
        let fires = expression.next_local(YEAR_2000, YEAR_2000 + HORIZON_SECS).is_some();
        if fires { Ok(expression) } else { Err(ScheduleError::NeverFires) }
    }

    /// Whether it means "every so often" rather than "at this time of day": the second, minute or hour is a
    /// wildcard. cron treats the two differently when the clocks change.
    pub(super) fn is_interval(&self) -> bool {
        self.seconds.is_starred || self.minutes.is_starred || self.hours.is_starred
    }

    /// The first local time in `from..until` that fulfils it. Both are seconds on the clock of the place, since 1970.
    pub(super) fn next_local(&self, from: i64, until: i64) -> Option<i64> {
        let (mut day, mut time) = (from.div_euclid(DAY_SECS), from.rem_euclid(DAY_SECS));
        while day * DAY_SECS < until {
            let date = Offset::UTC.to_datetime(jiff::Timestamp::from_second(day * DAY_SECS).ok()?).date();
            if !self.months.has(date.month().into()) {
                day += i64::from(date.days_in_month() - date.day()) + 1;
                time = 0;
                continue;
            }
            if self.is_on(date)
                && let Some(found) = self.next_time(time)
            {
                return Some(day * DAY_SECS + found).filter(|found| *found < until);
            }
            day += 1;
            time = 0;
        }
        None
    }

    fn is_on(&self, date: jiff::civil::Date) -> bool {
        let by_day = self.days.has(date.day().into());
        let by_weekday = self.weekdays.has(date.weekday().to_sunday_zero_offset().into());
        if self.days.is_starred || self.weekdays.is_starred {
            by_day && by_weekday
        } else {
            by_day || by_weekday
        }
    }

    /// The first time of day from `from` on, in seconds.
    fn next_time(&self, from: i64) -> Option<i64> {
        let (hour, minute, second) = (from / 3_600, from / 60 % 60, from % 60);
        let at = |hour, minute, second| hour * 3_600 + minute * 60 + second;
        if self.hours.has(hour) {
            if self.minutes.has(minute)
                && let Some(second) = self.seconds.next(second)
            {
                return Some(at(hour, minute, second));
            }
            if let Some(minute) = self.minutes.next(minute + 1) {
                return Some(at(hour, minute, self.seconds.first()));
            }
        }
        let hour = self.hours.next(hour + 1)?;
        Some(at(hour, self.minutes.first(), self.seconds.first()))
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
