//! What each list can be filtered and ordered by. One table serves both the document, which declares the parameters,
//! and the server, which reads them: what is declared works, and nothing else does.

mod content;

use registry::href::Kind;
use registry::query::Op;

pub use content::{artifacts, blobs, contents, manifests, tags, uploads};

/// What a parameter's text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text,
    /// Texts, separated by commas.
    Texts,
    /// A whole number.
    Int,
    /// Two whole numbers, separated by a comma.
    IntRange,
    /// `true` or `false`.
    Bool,
    /// A moment (RFC 3339).
    Time,
    /// Two moments, separated by a comma.
    TimeRange,
    /// Ids, separated by commas.
    Ids,
    /// A path or resource name.
    Href(Kind),
    /// Paths or resource names, separated by commas.
    Hrefs(Kind),
    /// The path or resource name of a repository version, or of a repository, whose latest version is meant.
    Version,
    /// Two of them, separated by a comma.
    TwoVersions,
    /// Paths or resource names of repository versions, separated by commas.
    Versions,
    /// The path or resource name of a blob, manifest or tag.
    Content,
    /// Several of them, separated by commas.
    Contents,
    /// Minutes up to now; less than none means the time for which nothing unused is deleted.
    Minutes,
    /// Terms on labels, as Pulp writes them.
    Labels,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// Several of a few words, separated by commas.
    Choices(&'static [&'static str]),
    /// A path or resource name of whatever kind, as it was stored.
    Resource,
    /// Several of them, separated by commas.
    Resources,
}

/// One parameter of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterSpec {
    /// The parameter.
    pub name: String,
    /// The field that it compares, in storage's words.
    pub field: &'static str,
    /// How it compares.
    pub op: Op,
    /// What its text means.
    pub value: Value,
}

/// The parameters of one list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListSpec {
    /// The operation.
    pub operation_id: &'static str,
    /// What it filters by.
    pub filters: Vec<FilterSpec>,
    /// What it orders by; each with `-` in front, too.
    pub orderings: &'static [&'static str],
}

const TASK_STATES: &[&str] =
    &["waiting", "skipped", "running", "completed", "failed", "canceled", "canceling"];
const LOG_LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];
const RESOURCE_ORDERINGS: &[&str] = &["pulp_id", "pulp_created", "pulp_last_updated", "name"];

impl ListSpec {
    fn new(operation_id: &'static str, orderings: &'static [&'static str]) -> Self {
        Self { operation_id, filters: Vec::new(), orderings }
    }

    fn with(mut self, name: impl Into<String>, field: &'static str, op: Op, value: Value) -> Self {
        self.filters.push(FilterSpec { name: name.into(), field, op, value });
        self
    }

    /// `name` and its whole family.
    fn with_text(self, name: &'static str, field: &'static str) -> Self {
        let suffixed = |suffix| format!("{name}__{suffix}");
        self.with(name, field, Op::Eq, Value::Text)
            .with(suffixed("contains"), field, Op::Contains, Value::Text)
            .with(suffixed("icontains"), field, Op::IContains, Value::Text)
            .with(suffixed("iexact"), field, Op::IExact, Value::Text)
            .with(suffixed("in"), field, Op::In, Value::Texts)
            .with(suffixed("iregex"), field, Op::IRegex, Value::Text)
            .with(suffixed("istartswith"), field, Op::IStartsWith, Value::Text)
            .with(suffixed("regex"), field, Op::Regex, Value::Text)
            .with(suffixed("startswith"), field, Op::StartsWith, Value::Text)
    }

    fn with_comparisons(self, field: &'static str, one: Value, two: Value) -> Self {
        let suffixed = |suffix| format!("{field}__{suffix}");
        self.with(field, field, Op::Eq, one)
            .with(suffixed("gt"), field, Op::Gt, one)
            .with(suffixed("gte"), field, Op::Gte, one)
            .with(suffixed("lt"), field, Op::Lt, one)
            .with(suffixed("lte"), field, Op::Lte, one)
            .with(suffixed("range"), field, Op::Range, two)
    }

    fn with_time(self, field: &'static str) -> Self {
        self.with_comparisons(field, Value::Time, Value::TimeRange).with(
            format!("{field}__isnull"),
            field,
            Op::IsNull,
            Value::Bool,
        )
    }

    fn with_ids(self, kind: Kind) -> Self {
        self.with("pulp_id__in", "pulp_id", Op::In, Value::Ids)
            .with("pulp_href__in", "pulp_id", Op::In, Value::Hrefs(kind))
            .with("prn__in", "pulp_id", Op::In, Value::Hrefs(kind))
    }

    fn with_labels(self) -> Self {
        self.with("pulp_label_select", "pulp_labels", Op::LabelSelect, Value::Labels)
    }

    fn with_versions(self) -> Self {
        self.with("repository_version", "repository_version", Op::VersionPresent, Value::Version)
            .with("repository_version_added", "repository_version", Op::VersionAdded, Value::Version)
            .with("repository_version_removed", "repository_version", Op::VersionRemoved, Value::Version)
            .with("added_between", "repository_version", Op::AddedBetween, Value::TwoVersions)
            .with("removed_between", "repository_version", Op::RemovedBetween, Value::TwoVersions)
            .with("orphaned_for", "repository_version", Op::OrphanedSince, Value::Minutes)
    }

    /// Only lists of all types filter by type.
    fn with_type(self) -> Self {
        if self.operation_id.contains("_container_") {
            return self;
        }
        self.with("pulp_type", "pulp_type", Op::Eq, Value::Text).with(
            "pulp_type__in",
            "pulp_type",
            Op::In,
            Value::Texts,
        )
    }
}

/// `repositories_container_container_list`, and the list of all repositories.
pub fn repositories(operation_id: &'static str) -> ListSpec {
    ListSpec::new(operation_id, RESOURCE_ORDERINGS)
        .with_text("name", "name")
        .with_ids(Kind::Repository)
        .with_labels()
        .with("remote", "remote", Op::Eq, Value::Href(Kind::Remote))
        .with_comparisons("retain_repo_versions", Value::Int, Value::IntRange)
        .with("retain_repo_versions__ne", "retain_repo_versions", Op::Ne, Value::Int)
        .with("retain_repo_versions__isnull", "retain_repo_versions", Op::IsNull, Value::Bool)
        .with_comparisons("retain_checkpoints", Value::Int, Value::IntRange)
        .with("retain_checkpoints__ne", "retain_checkpoints", Op::Ne, Value::Int)
        .with("retain_checkpoints__isnull", "retain_checkpoints", Op::IsNull, Value::Bool)
        .with("with_content", "content", Op::HasHeld, Value::Content)
        .with("latest_with_content", "content", Op::Holds, Value::Content)
        .with_type()
}

/// `remotes_container_container_list`, and the list of all remotes.
pub fn remotes(operation_id: &'static str) -> ListSpec {
    ListSpec::new(operation_id, RESOURCE_ORDERINGS)
        .with_text("name", "name")
        .with_ids(Kind::Remote)
        .with_labels()
        .with_time("pulp_last_updated")
        .with_type()
}

/// `distributions_container_container_list`, and the list of all distributions.
pub fn distributions(operation_id: &'static str) -> ListSpec {
    let spec = ListSpec::new(
        operation_id,
        &["pulp_id", "pulp_created", "pulp_last_updated", "name", "base_path", "hidden"],
    )
    .with_text("name", "name")
    .with("base_path", "base_path", Op::Eq, Value::Text)
    .with("base_path__contains", "base_path", Op::Contains, Value::Text)
    .with("base_path__icontains", "base_path", Op::IContains, Value::Text)
    .with("base_path__in", "base_path", Op::In, Value::Texts)
    .with_ids(Kind::Distribution)
    .with_labels()
    .with("repository", "repository", Op::Eq, Value::Href(Kind::Repository))
    .with("repository__in", "repository", Op::In, Value::Hrefs(Kind::Repository))
    .with("with_content", "content", Op::Holds, Value::Content)
    .with("checkpoint", "checkpoint", Op::Eq, Value::Bool)
    .with_type();
    if operation_id.contains("_container_") {
        spec.with("namespace__name", "namespace", Op::Eq, Value::Text)
    } else {
        spec
    }
}

/// `repositories_container_container_versions_list`, and the list of all versions.
pub fn versions(operation_id: &'static str) -> ListSpec {
    ListSpec::new(operation_id, &["pulp_id", "pulp_created", "pulp_last_updated", "number"])
        .with_comparisons("number", Value::Int, Value::IntRange)
        .with_time("pulp_created")
        .with("pulp_href__in", "name", Op::In, Value::Versions)
        .with("prn__in", "name", Op::In, Value::Versions)
        .with("content", "content", Op::Holds, Value::Content)
        .with("content__in", "content", Op::Holds, Value::Contents)
}

/// `tasks_list`
pub fn tasks() -> ListSpec {
    ListSpec::new(
        "tasks_list",
        &[
            "pulp_id",
            "pulp_created",
            "pulp_last_updated",
            "name",
            "logging_cid",
            "unblocked_at",
            "started_at",
            "finished_at",
        ],
    )
    .with("name", "name", Op::Eq, Value::Text)
    .with("name__contains", "name", Op::Contains, Value::Text)
    .with("name__in", "name", Op::In, Value::Texts)
    .with("name__ne", "name", Op::Ne, Value::Text)
    .with("state", "state", Op::Eq, Value::Choice(TASK_STATES))
    .with("state__in", "state", Op::In, Value::Choices(TASK_STATES))
    .with("state__ne", "state", Op::Ne, Value::Choice(TASK_STATES))
    .with("logging_cid", "logging_cid", Op::Eq, Value::Text)
    .with("logging_cid__contains", "logging_cid", Op::Contains, Value::Text)
    .with("worker", "worker", Op::Eq, Value::Href(Kind::Worker))
    .with("parent_task", "parent_task", Op::Eq, Value::Href(Kind::Task))
    .with("child_tasks", "child_tasks", Op::Eq, Value::Href(Kind::Task))
    .with("task_group", "task_group", Op::Eq, Value::Href(Kind::TaskGroup))
    .with("created_resources", "created_resources", Op::Eq, Value::Text)
    .with("reserved_resources", "reserved_resources", Op::Eq, Value::Resource)
    .with("reserved_resources__in", "reserved_resources", Op::In, Value::Resources)
    .with("exclusive_resources", "exclusive_resources", Op::Eq, Value::Resource)
    .with("exclusive_resources__in", "exclusive_resources", Op::In, Value::Resources)
    .with("shared_resources", "shared_resources", Op::Eq, Value::Resource)
    .with("shared_resources__in", "shared_resources", Op::In, Value::Resources)
    .with_time("pulp_created")
    .with_time("unblocked_at")
    .with_time("started_at")
    .with_time("finished_at")
    .with_ids(Kind::Task)
}

/// `task_groups_list`
pub fn task_groups() -> ListSpec {
    ListSpec::new("task_groups_list", &["pulp_id", "pulp_created", "pulp_last_updated", "description"])
        .with_time("pulp_created")
        .with_ids(Kind::TaskGroup)
}

/// `task_schedules_list`
pub fn task_schedules() -> ListSpec {
    ListSpec::new(
        "task_schedules_list",
        &["pulp_id", "pulp_created", "pulp_last_updated", "name", "task_name", "next_dispatch"],
    )
    .with_text("name", "name")
    .with("task_name", "task_name", Op::Eq, Value::Text)
    .with("task_name__contains", "task_name", Op::Contains, Value::Text)
    .with("enabled", "enabled", Op::Eq, Value::Bool)
    .with_ids(Kind::TaskSchedule)
}

/// `tasks_logs`
pub fn task_logs() -> ListSpec {
    ListSpec::new("tasks_logs", &["at"]).with("level", "level", Op::Eq, Value::Choice(LOG_LEVELS)).with(
        "level__in",
        "level",
        Op::In,
        Value::Choices(LOG_LEVELS),
    )
}

/// `workers_list`
pub fn workers() -> ListSpec {
    ListSpec::new("workers_list", &["pulp_id", "pulp_created", "pulp_last_updated", "name", "last_heartbeat"])
        .with_text("name", "name")
        .with_time("last_heartbeat")
        .with("online", "online", Op::Eq, Value::Bool)
        .with("missing", "missing", Op::Eq, Value::Bool)
        .with_ids(Kind::Worker)
}

/// The lists of this API.
pub fn all() -> Vec<ListSpec> {
    vec![
        repositories("repositories_container_container_list"),
        repositories("repositories_list"),
        remotes("remotes_container_container_list"),
        remotes("remotes_list"),
        distributions("distributions_container_container_list"),
        distributions("distributions_list"),
        versions("repositories_container_container_versions_list"),
        versions("repository_versions_list"),
        contents(),
        blobs(),
        manifests(),
        tags(),
        artifacts(),
        uploads(),
        tasks(),
        task_groups(),
        task_schedules(),
        task_logs(),
        workers(),
    ]
}
