//! Tasks: one unit of asynchronous work as clients see it, and the rules of its life.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::href::Kind;
use crate::{ContentChange, Digest};

/// Where a task stands. The names are the API's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// Accepted; waits for its resources or for a worker.
    Waiting,
    /// A worker has it.
    Running,
    /// Done.
    Completed,
    /// Ended with an error.
    Failed,
    /// Ended because somebody asked for it.
    Canceled,
    /// Asked to end while a worker still has it.
    Canceling,
}

impl TaskState {
    /// Every state, in the order in which the API names them.
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Running, Self::Completed, Self::Failed, Self::Canceled, Self::Canceling];

    /// The API's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Canceling => "canceling",
        }
    }

    /// Whether nothing more will happen.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TaskState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(())
    }
}

/// One line of progress of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressReport {
    /// For people.
    pub message: String,
    /// For programs, such as `sync.downloading.artifacts`; unique within a task.
    pub code: String,
    /// How the part that is reported on stands.
    pub state: TaskState,
    /// How much there is, once that is known.
    pub total: Option<i64>,
    /// How much is done.
    pub done: i64,
    /// What follows the numbers, such as `bytes`.
    pub suffix: Option<String>,
}

/// Why a task failed, as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskError {
    /// One sentence with the cause.
    pub description: String,
    /// A stable word for the kind of cause, such as `upstream.unauthorized`.
    pub code: String,
}

/// What a task that does not run yet waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitingFor {
    /// An earlier task, which has a resource that this one reserves.
    Task {
        /// The earliest of them.
        task: uuid::Uuid,
        /// The resource's PRN.
        resource: String,
    },
    /// As many tasks talk to this upstream already as may at once.
    Upstream {
        /// The host, with its port if that isn't the scheme's own.
        host: String,
        /// How many may.
        limit: u32,
    },
    /// The moment of the next try, after it failed for a cause that may pass.
    Retry(crate::Timestamp),
    /// The moment for which a schedule planned it.
    Schedule(crate::Timestamp),
    /// A worker that has room for it.
    Worker,
}

/// A resource that a task reserves, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reservation {
    /// The resource's PRN, such as `prn:container.containerrepository:<uuid>`.
    pub resource: String,
    /// Alone (`true`), or together with others that share it.
    pub exclusive: bool,
}

impl Reservation {
    /// Reserves `resource` alone.
    pub fn exclusive(resource: impl Into<String>) -> Self {
        Self { resource: resource.into(), exclusive: true }
    }

    /// Reserves `resource` together with others.
    pub fn shared(resource: impl Into<String>) -> Self {
        Self { resource: resource.into(), exclusive: false }
    }

    /// What a sync reserves: its repository alone, its remote together with other syncs.
    pub fn of_sync(repository: uuid::Uuid, remote: uuid::Uuid) -> Vec<Self> {
        vec![Self::exclusive(Kind::Repository.prn(repository)), Self::shared(Kind::Remote.prn(remote))]
    }

    /// What a cleanup of orphans reserves: the right to be the only one. The name is Pulp's.
    pub fn of_cleanup() -> Vec<Self> {
        vec![Self::exclusive("/api/v3/orphans/cleanup/")]
    }

    /// The form in `reserved_resources_record`: shared ones are marked.
    pub fn record(&self) -> String {
        if self.exclusive { self.resource.clone() } else { format!("shared:{}", self.resource) }
    }
}

/// What a task has to do: its kind and the ids that it needs. Kept with the task as JSON, so fields get
/// defaults when they are added, and names never change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Work {
    /// Copies an upstream repository into a new version.
    SyncRepository {
        /// The repository's id.
        repository: uuid::Uuid,
        /// The remote's id.
        remote: uuid::Uuid,
        /// Make the version equal to upstream rather than add to it.
        #[serde(default)]
        mirror: bool,
    },
    /// Creates a distribution.
    CreateDistribution {
        /// The id it will have.
        distribution: uuid::Uuid,
        /// Its fields.
        fields: serde_json::Value,
    },
    /// Changes a repository, a remote or a distribution.
    UpdateResource {
        /// What it is.
        kind: ResourceKind,
        /// Its id.
        id: uuid::Uuid,
        /// The fields that change, already validated.
        fields: serde_json::Value,
    },
    /// Deletes a repository, a remote or a distribution.
    DeleteResource {
        /// What it is.
        kind: ResourceKind,
        /// Its id.
        id: uuid::Uuid,
    },
    /// Deletes one version of a repository.
    DeleteVersion {
        /// The repository's id.
        repository: uuid::Uuid,
        /// The version's number.
        number: i64,
    },
    /// Publishes a version with other content.
    ModifyContent {
        /// The repository's id.
        repository: uuid::Uuid,
        /// The number of the version that is changed; the latest when absent.
        #[serde(default)]
        base_version: Option<i64>,
        /// What changes.
        change: ContentChange,
    },
    /// Makes an artifact of a file that has arrived in pieces.
    CommitUpload {
        /// The upload's id.
        upload: uuid::Uuid,
        /// The digest that the file must have.
        digest: Digest,
    },
    /// Adds a manifest that was pushed to a new version.
    PushManifest {
        /// The repository's id.
        repository: uuid::Uuid,
        /// The manifest, which is recorded already.
        digest: crate::Digest,
        /// The tag that it gets.
        #[serde(default)]
        tag: Option<crate::Tag>,
    },
    /// Makes a version without a tag.
    DeleteTag {
        /// The repository's id.
        repository: uuid::Uuid,
        /// The tag.
        tag: crate::Tag,
    },
    /// Makes a version without a manifest and its tags.
    DeleteManifest {
        /// The repository's id.
        repository: uuid::Uuid,
        /// The manifest.
        digest: crate::Digest,
    },
    /// Makes a version without a blob that no manifest needs.
    DeleteBlob {
        /// The repository's id.
        repository: uuid::Uuid,
        /// The blob.
        digest: crate::Digest,
    },
    /// Starts a sync of each of many repositories, as its children.
    SyncRepositories {
        /// The repositories' ids; none means every repository that has a remote.
        repositories: Vec<uuid::Uuid>,
        /// As for one sync.
        #[serde(default)]
        mirror: bool,
    },
    /// Deletes tasks that have ended.
    PurgeTasks {
        /// Only those that ended before this moment.
        finished_before: crate::Timestamp,
        /// Only those in one of these states, all of which are final.
        states: Vec<TaskState>,
    },
    /// Deletes content that no version holds, and files that nothing refers to.
    CleanUpOrphans {
        /// Only what nobody has touched for this many minutes.
        protection_minutes: u32,
        /// Only these pieces of content, when there are any.
        #[serde(default)]
        only: Vec<uuid::Uuid>,
        /// Only find out what would be freed.
        #[serde(default)]
        dry_run: bool,
    },
    /// Looks for blobs that are missing or damaged, and fetches them again.
    Repair {
        /// The repository and version whose blobs are looked at; every blob when absent.
        #[serde(default)]
        version: Option<(uuid::Uuid, i64)>,
        /// Hash every blob, rather than only look whether it is there with its size.
        verify_checksums: bool,
    },
    /// Something that only a later release knows. A worker leaves it to others.
    #[serde(other)]
    Unknown,
}

/// The resources that tasks change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// A repository.
    Repository,
    /// A remote.
    Remote,
    /// A distribution.
    Distribution,
}

impl Work {
    /// The task's name in the API: Pulp's own, since scripts look for them.
    pub const fn task_name(&self) -> &'static str {
        match self {
            Self::SyncRepository { .. } => "pulp_container.app.tasks.synchronize.synchronize",
            Self::CreateDistribution { .. } => "pulpcore.app.tasks.base.general_create",
            Self::UpdateResource { .. } => "pulpcore.app.tasks.base.general_update",
            Self::DeleteResource { .. } => "pulpcore.app.tasks.base.general_delete",
            Self::DeleteVersion { .. } => "pulpcore.app.tasks.repository.delete_version",
            Self::ModifyContent { change, .. } => change.task_name(),
            Self::CommitUpload { .. } => "pulpcore.app.tasks.upload.commit",
            Self::PushManifest { .. }
            | Self::DeleteTag { .. }
            | Self::DeleteManifest { .. }
            | Self::DeleteBlob { .. } => "pulpcore.app.tasks.repository.add_and_remove",
            Self::SyncRepositories { .. } => "entrepot.tasks.sync_repositories",
            Self::PurgeTasks { .. } => "pulpcore.app.tasks.purge.purge",
            Self::CleanUpOrphans { .. } => "pulpcore.app.tasks.orphan.orphan_cleanup",
            Self::Repair { version: Some(_), .. } => "pulpcore.app.tasks.repository.repair_version",
            Self::Repair { version: None, .. } => "pulpcore.app.tasks.repository.repair_all_artifacts",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_stored_under_stable_names() {
        let work =
            Work::SyncRepository { repository: uuid::Uuid::nil(), remote: uuid::Uuid::nil(), mirror: true };
        let nil = uuid::Uuid::nil().to_string();
        assert_eq!(
            serde_json::to_value(&work).unwrap(),
            serde_json::json!({"job": "sync_repository", "repository": nil, "remote": nil, "mirror": true})
        );
    }

    #[test]
    fn work_of_later_releases_is_unknown() {
        let later = serde_json::json!({"job": "fold_laundry", "basket": 3});
        assert_eq!(serde_json::from_value::<Work>(later).unwrap(), Work::Unknown);
    }

    #[test]
    fn states_read_back() {
        for state in TaskState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!(TaskState::Canceled.is_final() && !TaskState::Canceling.is_final());
    }
}
