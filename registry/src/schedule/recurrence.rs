//! Which fires are due, which were missed, and what comes next.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{MissedPolicy, Timetable};
use crate::Timestamp;

/// How late a fire may come and still be on time, in seconds. A restart or a short outage of the database is shorter;
/// what is later was missed.
pub const ON_TIME_SECS: i64 = 60;
/// Most missed fires that are counted at a time. A schedule that fires each second misses millions in a month.
const MAX_COUNTED: i64 = 1_000;

/// A timetable with everything that decides what a fire does.
#[derive(Debug, Clone, PartialEq)]
pub struct Recurrence {
    /// The schedule.
    pub schedule: Uuid,
    /// When it fires.
    pub timetable: Timetable,
    /// By how much a fire may be put off, in seconds.
    pub jitter_secs: i64,
    /// What happens about fires that nobody was there for.
    pub on_missed: MissedPolicy,
}

/// What to do about the fires that have come due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The fire to start a task for.
    pub run: Option<Timestamp>,
    /// How many fires nothing is started for because nobody was there in time; at most about 1,000.
    pub missed: i64,
    /// The newest fire that this is about.
    pub last_fire: Timestamp,
    /// The schedule's next fire is the first one after this moment.
    pub resume_after: Timestamp,
}

impl Recurrence {
    /// The moment at which a fire comes due: put off by what the jitter gives for this schedule and fire, the same
    /// on every host, and never up to the following fire.
    pub fn due_at(&self, fire: Timestamp) -> Timestamp {
        if self.jitter_secs <= 0 {
            return fire;
        }
        let gap = self.timetable.next_after(fire).map_or(i64::MAX, |next| next.as_secs() - fire.as_secs());
        let most = u64::try_from(self.jitter_secs.min(gap - 1)).unwrap_or(0);
        let mut hash = Sha256::new();
        hash.update(self.schedule.as_bytes());
        hash.update(fire.as_micros().to_be_bytes());
        let bytes: [u8; 32] = hash.finalize().into();
        let number = bytes[..8].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        fire.plus_seconds(i64::try_from(number % (most + 1)).unwrap_or(0))
    }

    /// The first fire after `moment`, and when it comes due.
    pub fn next_after(&self, moment: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let fire = self.timetable.next_after(moment)?;
        Some((fire, self.due_at(fire)))
    }

    /// What to do at `now`, when `first` is the next fire that was waited for. `None` when it is not due yet.
    ///
    /// A fire that comes no more than [`ON_TIME_SECS`] late is run, one at a time. Later ones were missed: they are
    /// counted, and [`MissedPolicy::RunOnce`] runs the newest due fire in place of all.
    pub fn decide(&self, first: Timestamp, now: Timestamp) -> Option<Decision> {
        if self.due_at(first) > now {
            return None;
        }
        let (late, last_late, rest) = self.walk_late(first, now);
        let Some(last_late) = last_late else {
            return Some(Decision { run: Some(first), missed: 0, last_fire: first, resume_after: first });
        };
        let due = |fire: &Timestamp| self.due_at(*fire) <= now;
        let jumped_to = if late == MAX_COUNTED { now.plus_seconds(-ON_TIME_SECS) } else { last_late };
        match self.on_missed {
            MissedPolicy::Skip => {
                let run = rest.filter(due);
                let last_fire = run.unwrap_or(last_late);
                Some(Decision { run, missed: late, last_fire, resume_after: last_fire.max(jumped_to) })
            }
            MissedPolicy::RunOnce => {
                let on_time = std::iter::successors(rest, |fire| self.timetable.next_after(*fire));
                let (count, newest) =
                    on_time.take_while(due).fold((0, last_late), |(n, _), fire| (n + 1, fire));
                Some(Decision {
                    run: Some(newest),
                    missed: late + count - 1,
                    last_fire: newest,
                    resume_after: newest.max(jumped_to),
                })
            }
        }
    }

    /// How many fires from `first` on were missed, the last of them that was counted, and the first that was not.
    fn walk_late(&self, first: Timestamp, now: Timestamp) -> (i64, Option<Timestamp>, Option<Timestamp>) {
        let on_time_from = now.plus_seconds(-ON_TIME_SECS);
        let (mut late, mut last, mut next) = (0, None, Some(first));
        while let Some(fire) = next.filter(|fire| self.due_at(*fire) < on_time_from) {
            late += 1;
            last = Some(fire);
            if late == MAX_COUNTED {
                return (late, last, self.timetable.next_after(on_time_from.max(fire)));
            }
            next = self.timetable.next_after(fire);
        }
        (late, last, next)
    }
}
