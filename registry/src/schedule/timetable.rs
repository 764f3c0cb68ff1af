//! An expression in a time zone.

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::expression::HORIZON_SECS;
use super::{Expression, ScheduleError};
use crate::Timestamp;

/// An expression in a time zone: it gives the moments at which something fires.
///
/// When the clocks change, it keeps to the rules of cron(8) (Vixie cron 4.1, "Daylight Saving Time and other time
/// changes"), whatever the size of the change:
///
/// - An expression for a *time of day* (no wildcard in second, minute and hour) fires once for each local time that
///   it names. Times that are left out in spring fire together, once, at the first moment after the gap. Times that
///   come twice in autumn fire at their first occurrence only.
/// - An expression for an *interval* (a wildcard in second, minute or hour, such as `*/10 * * * *`) fires by the local
///   clock as it runs: not in the gap, and in both passes of an hour that is repeated, each at its own moment.
///
/// Moments grow strictly, so none comes twice.
#[derive(Debug, Clone)]
pub struct Timetable {
    text: String,
    expression: Expression,
    zone: TimeZone,
    zone_name: String,
}

impl Timetable {
    /// Reads an expression and the name of a zone, in whatever case.
    pub fn parse(expression: &str, zone: &str) -> Result<Self, ScheduleError> {
        let text = expression.trim().to_owned();
        let expression = Expression::parse(expression)?;
        let (zone, zone_name) = find_zone(zone)?;
        Ok(Self { text, expression, zone, zone_name })
    }

    /// The expression as it was written.
    pub fn expression(&self) -> &str {
        &self.text
    }

    /// The zone's name as the IANA database writes it.
    pub fn zone_name(&self) -> &str {
        &self.zone_name
    }

    /// The first fire after `moment`: a whole second. `None` when there is none in the next 50 years, or before 2101,
    /// with which the `cron` crate's calendar ends.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let mut from = moment.as_secs().checked_add(1)?;
        let horizon = from.checked_add(HORIZON_SECS)?;
        while from < horizon {
            let stretch = Stretch::at(&self.zone, from, horizon)?;
            if let Some(found) = self.first_in(&stretch, from) {
                return Some(Timestamp::from_micros(0).plus_seconds(found));
            }
            from = stretch.end;
        }
        None
    }

    /// The first fires after `moment`, at most `count`.
    pub fn fires_after(&self, moment: Timestamp, count: usize) -> Vec<Timestamp> {
        std::iter::successors(self.next_after(moment), |fire| self.next_after(*fire)).take(count).collect()
    }

    /// The first fire of a stretch from `from` on, in seconds since 1970.
    fn first_in(&self, stretch: &Stretch, from: i64) -> Option<i64> {
        let until = stretch.end + stretch.offset;
        if self.expression.is_interval() {
            return Some(self.expression.next_local(from + stretch.offset, until)? - stretch.offset);
        }
        // The local time that had been reached when the clocks changed. What lies between it and the local time
        // after the change was left out (spring: it fires now), or is here for the second time (autumn: it doesn't).
        let reached = stretch.begin.map(|begin| begin.at + begin.offset_before);
        let local = match reached {
            Some(reached) if stretch.begin.is_some_and(|begin| begin.at == from) => reached,
            Some(reached) => reached.max(from + stretch.offset),
            None => from + stretch.offset,
        };
        Some((self.expression.next_local(local, until)? - stretch.offset).max(from))
    }
}

/// A stretch of time in which a zone's offset stays the same. All in seconds.
struct Stretch {
    begin: Option<Change>,
    offset: i64,
    /// The first moment after it.
    end: i64,
}

#[derive(Clone, Copy)]
struct Change {
    at: i64,
    offset_before: i64,
}

impl Stretch {
    fn at(zone: &TimeZone, moment: i64, horizon: i64) -> Option<Self> {
        let timestamp = |seconds| jiff::Timestamp::from_second(seconds).ok();
        let offset_at = |seconds| Some(i64::from(zone.to_offset(timestamp(seconds)?).seconds()));
        let begin =
            zone.preceding(timestamp(moment + 1)?).next().map(|change| change.timestamp().as_second());
        let begin = match begin {
            Some(at) => Some(Change { at, offset_before: offset_at(at - 1)? }),
            None => None,
        };
        let end = zone.following(timestamp(moment)?).next().map(|change| change.timestamp().as_second());
        Some(Self { begin, offset: offset_at(moment)?, end: end.map_or(horizon, |end| end.min(horizon)) })
    }
}

/// The database is the one that is built in, so that all replicas agree.
fn find_zone(name: &str) -> Result<(TimeZone, String), ScheduleError> {
    let unknown =
        || ScheduleError::UnknownZone(name.chars().take(64).collect::<String>().escape_debug().to_string());
    let zone = TimeZoneDatabase::bundled().get(name.trim()).map_err(|_| unknown())?;
    let canonical = zone.iana_name().filter(|name| *name != "Factory").ok_or_else(unknown)?.to_owned();
    Ok((zone, canonical))
}

impl PartialEq for Timetable {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.zone_name == other.zone_name
    }
}
