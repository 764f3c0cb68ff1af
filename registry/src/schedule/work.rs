//! What a schedule runs, and its policies.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;
use crate::task::{Reservation, TaskState, Work};

/// What a schedule runs. Kept as JSON: fields get defaults when they are added, and names never change.
///
/// A further kind is a variant here, which [`ScheduledWork::task_name`] and [`ScheduledWork::resolve`] must know, and
/// its fields in the API's object (`openapi::objects::ScheduledTask`, read and shown in `server::api::schedules`). What
/// depends on the moment of the fire, such as the tasks to purge, is worked out in `resolve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ScheduledWork {
    /// Syncs a repository.
    Sync {
        /// The repository's id.
        repository: Uuid,
        /// The remote's id; the repository's own remote at the time of the fire when absent.
        #[serde(default)]
        remote: Option<Uuid>,
        /// Make each version equal to upstream rather than add to it.
        #[serde(default)]
        mirror: bool,
        /// Only signed images.
        #[serde(default)]
        signed_only: bool,
    },
    /// Deletes tasks that have ended.
    Purge {
        /// Only those that ended as many days before the fire.
        older_than_days: i64,
        /// Only those in one of these states, all of which are final.
        states: Vec<TaskState>,
    },
    /// Deletes content that no version holds.
    OrphanCleanup {
        /// Only what nobody has touched for this many minutes.
        protection_minutes: u32,
    },
    /// Something that only a later release knows. Its servers and workers fire it.
    #[serde(other)]
    Unknown,
}

impl ScheduledWork {
    /// The names of the tasks of all kinds that this release knows.
    pub fn known_task_names() -> [&'static str; 3] {
        [
            Self::Sync { repository: Uuid::nil(), remote: None, mirror: false, signed_only: false },
            Self::Purge { older_than_days: 0, states: Vec::new() },
            Self::OrphanCleanup { protection_minutes: 0 },
        ]
        .map(|work| work.task_name())
    }

    /// The name of the tasks, in the API's words.
    pub fn task_name(&self) -> &'static str {
        let example = match self {
            Self::Sync { .. } => {
                Work::SyncRepository { repository: Uuid::nil(), remote: Uuid::nil(), mirror: false }
            }
            Self::Purge { .. } => {
                Work::PurgeTasks { finished_before: Timestamp::from_micros(0), states: Vec::new() }
            }
            Self::OrphanCleanup { .. } => {
                Work::CleanUpOrphans { protection_minutes: 0, only: Vec::new(), dry_run: false }
            }
            Self::Unknown => Work::Unknown,
        };
        example.task_name()
    }

    /// The repository that it is about. The schedule goes when that goes.
    pub const fn repository(&self) -> Option<Uuid> {
        match self {
            Self::Sync { repository, .. } => Some(*repository),
            Self::Purge { .. } | Self::OrphanCleanup { .. } | Self::Unknown => None,
        }
    }

    /// The remote that it names. That can't go while the schedule is there.
    pub const fn remote(&self) -> Option<Uuid> {
        match self {
            Self::Sync { remote, .. } => *remote,
            Self::Purge { .. } | Self::OrphanCleanup { .. } | Self::Unknown => None,
        }
    }

    /// The task's work and what it reserves. `own_remote` is the one of the repository, which stands in for one that
    /// is not named; `None` when there is neither. `now` is the moment at which the task is started.
    pub fn resolve(&self, own_remote: Option<Uuid>, now: Timestamp) -> Option<(Work, Vec<Reservation>)> {
        match self {
            Self::Sync { repository, remote, mirror, signed_only: _ } => {
                let remote = remote.or(own_remote)?;
                let work = Work::SyncRepository { repository: *repository, remote, mirror: *mirror };
                Some((work, Reservation::of_sync(*repository, remote)))
            }
            Self::Purge { older_than_days, states } => {
                let finished_before = now.plus_seconds(older_than_days.saturating_mul(-86_400));
                Some((Work::PurgeTasks { finished_before, states: states.clone() }, Vec::new()))
            }
            Self::OrphanCleanup { protection_minutes } => {
                let work = Work::CleanUpOrphans {
                    protection_minutes: *protection_minutes,
                    only: Vec::new(),
                    dry_run: false,
                };
                Some((work, Reservation::of_cleanup()))
            }
            Self::Unknown => None,
        }
    }
}

/// What happens at a fire that finds the schedule's previous task unfinished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverlapPolicy {
    /// Nothing is started; the fire is counted as skipped.
    #[default]
    Skip,
    /// A task is started, which waits for the previous one where both need the same resource.
    Queue,
}

/// What happens about fires that nobody was there for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissedPolicy {
    /// Nothing; they are counted as missed.
    #[default]
    Skip,
    /// One task for all of them together.
    RunOnce,
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ }) => {
        impl $type {
            /// Every policy.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The API's word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                Self::ALL.iter().copied().find(|policy| policy.as_str() == text).ok_or(())
            }
        }
    };
}

words!(OverlapPolicy { Skip = "skip", Queue = "queue" });
words!(MissedPolicy { Skip = "skip", RunOnce = "run_once" });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::href::Kind;

    const NOW: Timestamp = Timestamp::from_micros(1_795_504_756_170_022);

    #[test]
    fn work_is_stored_under_stable_names() {
        let nil = Uuid::nil();
        let work = ScheduledWork::Sync { repository: nil, remote: None, mirror: true, signed_only: false };
        assert_eq!(
            serde_json::to_value(&work).unwrap(),
            serde_json::json!({"kind": "sync", "repository": nil, "remote": null, "mirror": true, "signed_only": false})
        );
        let short = serde_json::json!({"kind": "sync", "repository": nil});
        let read: ScheduledWork = serde_json::from_value(short).unwrap();
        assert_eq!(
            read,
            ScheduledWork::Sync { repository: nil, remote: None, mirror: false, signed_only: false }
        );
    }

    #[test]
    fn a_sync_uses_the_remote_that_it_names_or_the_repositorys_own() {
        let [repository, named, own] = [1, 2, 3].map(Uuid::from_u128);
        let sync = |remote| ScheduledWork::Sync { repository, remote, mirror: true, signed_only: false };
        let work = |remote| Work::SyncRepository { repository, remote, mirror: true };
        let (resolved, reserved) = sync(Some(named)).resolve(Some(own), NOW).unwrap();
        assert_eq!(resolved, work(named));
        assert_eq!(
            reserved,
            [
                Reservation::exclusive(Kind::Repository.prn(repository)),
                Reservation::shared(Kind::Remote.prn(named))
            ]
        );
        assert_eq!(sync(None).resolve(Some(own), NOW).unwrap().0, work(own));
        assert_eq!(sync(None).resolve(None, NOW), None);
    }

    #[test]
    fn a_purge_counts_its_days_from_the_moment_it_starts() {
        let purge = ScheduledWork::Purge { older_than_days: 30, states: vec![TaskState::Failed] };
        let work = Work::PurgeTasks {
            finished_before: NOW.plus_seconds(-30 * 86_400),
            states: vec![TaskState::Failed],
        };
        assert_eq!(purge.task_name(), "pulpcore.app.tasks.purge.purge");
        assert_eq!(purge.resolve(None, NOW), Some((work, Vec::new())));
        assert_eq!(
            serde_json::to_value(&purge).unwrap(),
            serde_json::json!({"kind": "purge", "older_than_days": 30, "states": ["failed"]})
        );
    }
}
