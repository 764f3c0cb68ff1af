//! The objects of the API, with the field names that Pulp's clients know.
//!
//! Answers are built by `server`. Requests are declared here for the document only: `server` reads their bodies field
//! by field, so that every error names its field.

mod artifact;
mod content;
mod distribution;
mod page;
mod remote;
mod repository;
mod schedule;
mod status;
mod storage_care;
mod task;

pub use artifact::{
    Artifact, ArtifactResponse, NewUpload, UploadChunk, UploadChunkResponse, UploadCommit,
    UploadDetailResponse, UploadResponse,
};
pub use content::{BlobResponse, ContentResponse, ManifestResponse, TagResponse};
pub use distribution::{Distribution, DistributionResponse, PatchedDistribution};
pub use page::{Page, Pageable};
pub use remote::{HiddenField, PatchedRemote, PolicyName, Remote, RemoteResponse};
pub use repository::{
    ContentCount, ContentSummary, CopyManifests, CopyTags, ManageContent, PatchedRepository, Repository,
    RepositoryResponse, RepositoryVersionResponse, SignRepository, SignaturesToRemove, SyncRepositories,
    SyncRepository, TagImage, UntagImage,
};
pub use schedule::{
    OnMissed, OnOverlap, PatchedTaskSchedule, ScheduledTask, ScheduledTaskKind, TaskSchedule,
    TaskScheduleResponse,
};
pub use status::{AppStatus, ContentSettings, DatabaseConnection, RedisConnection, Status, Storage, Version};
pub use storage_care::{OrphansCleanup, Repair};
pub use task::{
    AsyncOperation, CancelTask, MinimalTaskResponse, ProgressReport, Purge, SetLabel, SetLabelResponse,
    TaskErrorDocument, TaskGroupOperation, TaskGroupResponse, TaskLogLine, TaskResponse, UnsetLabel,
    UnsetLabelResponse, WaitingForResponse, WorkerResponse,
};

/// A JSON value of any shape.
pub type AnyJson = poem_openapi::types::Any<serde_json::Value>;
/// Labels and annotations.
pub type Labels = std::collections::BTreeMap<String, String>;
