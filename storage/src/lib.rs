//! All durable state: the catalog (SeaORM on SQLite or PostgreSQL), the blobs (a folder) and the queue (apalis).
//!
//! Reads are methods of [`Catalog`]; changes are methods of [`Tx`], so that a request's change and the task that it
//! starts are one transaction. The rules that the data has to keep are enforced here, whoever asks. This crate
//! knows no HTTP.

pub mod blobs;
pub mod catalog;
mod entity;
mod error;
pub mod fail_point;
pub mod queue;
mod secret_key;

pub use blobs::{BlobBody, BlobFile, BlobStore, BlobUpload, FetchTurn, StagedBlob, Usage, Verdict};
pub use catalog::any_content::AnyContent;
pub use catalog::artifact_uploads::{ArtifactUpload, Chunk};
pub use catalog::content::{BlobContent, ManifestContent, TagContent};
pub use catalog::distributions::{Distribution, DistributionChanges, NewDistribution, VersionRef};
pub use catalog::held_blobs::HeldBlob;
pub use catalog::orphans::{Freed, OrphanKind, OrphanWindow};
pub use catalog::push_target::PushTarget;
pub use catalog::referrers::Referrer;
pub use catalog::remotes::{NewRemote, Policy, Remote, RemoteChanges, RemoteSecrets};
pub use catalog::repositories::{NewRepository, Repository, RepositoryChanges};
pub use catalog::schedule_fires::FireReport;
pub use catalog::schedules::{NewSchedule, Schedule, ScheduleChanges};
pub use catalog::served::{Served, ServedManifest};
pub use catalog::sync::{KnownManifest, NewManifest};
pub use catalog::task_groups::{GroupedTask, TaskGroup};
pub use catalog::task_logs::{KeptLogLine, TaskLogLine};
pub use catalog::tasks::{Changes, CreatedResource, NewTask, Task, TaskEnd, TaskStamp};
pub use catalog::uploads::UploadSession;
pub use catalog::users::{AdminSetup, User};
pub use catalog::versions::{ContentSummary, Counts, NewVersion, Version};
pub use catalog::{Catalog, CatalogConfig, Tx};
pub use error::StorageError;
pub use queue::{CancelOutcome, Fence, Heartbeat, Outcome, ReconcileReport, WorkerNode};
pub use registry::query::{Filter, FilterValue, LabelTerm, ListQuery, Op, OrderBy, Page};
pub use secret_key::SecretKey;

/// Labels and annotations: text by text, sorted.
pub type Labels = std::collections::BTreeMap<String, String>;
