//! How the API names things: paths (`pulp_href`) and resource names (`prn`), made and read in one place.

use std::fmt::Write;

use uuid::Uuid;

use crate::task::ResourceKind;

/// Where the management API lives.
pub const API_ROOT: &str = "/pulp/api/v3/";

const VERSION_PRN: &str = "prn:core.repositoryversion:";

/// What can be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A repository.
    Repository,
    /// A remote.
    Remote,
    /// A distribution.
    Distribution,
    /// A blob.
    Blob,
    /// A manifest.
    Manifest,
    /// A tag.
    Tag,
    /// A task.
    Task,
    /// A group of tasks.
    TaskGroup,
    /// A worker.
    Worker,
    /// A user.
    User,
    /// A schedule.
    TaskSchedule,
    /// The file of a blob.
    Artifact,
    /// A file that arrives in pieces.
    Upload,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::Repository,
        Self::Remote,
        Self::Distribution,
        Self::Blob,
        Self::Manifest,
        Self::Tag,
        Self::Task,
        Self::TaskGroup,
        Self::Worker,
        Self::User,
        Self::TaskSchedule,
        Self::Artifact,
        Self::Upload,
    ];

    /// The path of the collection below [`API_ROOT`], with a slash at its end.
    pub const fn collection(self) -> &'static str {
        match self {
            Self::Repository => "repositories/container/container/",
            Self::Remote => "remotes/container/container/",
            Self::Distribution => "distributions/container/container/",
            Self::Blob => "content/container/blobs/",
            Self::Manifest => "content/container/manifests/",
            Self::Tag => "content/container/tags/",
            Self::Task => "tasks/",
            Self::TaskGroup => "task-groups/",
            Self::Worker => "workers/",
            Self::User => "users/",
            Self::TaskSchedule => "task-schedules/",
            Self::Artifact => "artifacts/",
            Self::Upload => "uploads/",
        }
    }

    /// `app.model` in resource names.
    pub const fn model(self) -> &'static str {
        match self {
            Self::Repository => "container.containerrepository",
            Self::Remote => "container.containerremote",
            Self::Distribution => "container.containerdistribution",
            Self::Blob => "container.blob",
            Self::Manifest => "container.manifest",
            Self::Tag => "container.tag",
            Self::Task => "core.task",
            Self::TaskGroup => "core.taskgroup",
            Self::Worker => "core.appstatus",
            Self::User => "auth.user",
            Self::TaskSchedule => "core.taskschedule",
            Self::Artifact => "core.artifact",
            Self::Upload => "core.upload",
        }
    }

    /// What error texts call it.
    pub const fn model_name(self) -> &'static str {
        match self {
            Self::Repository => "ContainerRepository",
            Self::Remote => "ContainerRemote",
            Self::Distribution => "ContainerDistribution",
            Self::Blob => "Blob",
            Self::Manifest => "Manifest",
            Self::Tag => "Tag",
            Self::Task => "Task",
            Self::TaskGroup => "TaskGroup",
            Self::Worker => "Worker",
            Self::User => "User",
            Self::TaskSchedule => "TaskSchedule",
            Self::Artifact => "Artifact",
            Self::Upload => "Upload",
        }
    }

    /// `/pulp/api/v3/<collection>/<id>/`
    pub fn href(self, id: Uuid) -> String {
        format!("{API_ROOT}{}{id}/", self.collection())
    }

    /// `prn:<app>.<model>:<id>`
    pub fn prn(self, id: Uuid) -> String {
        format!("prn:{}:{id}", self.model())
    }

    /// Reads a path, a whole URL, or a resource name of this kind.
    pub fn parse(self, text: &str) -> Option<Uuid> {
        let id = match text.strip_prefix("prn:") {
            Some(rest) => rest.strip_prefix(self.model())?.strip_prefix(':')?,
            None => path_of(text)?.strip_prefix(self.collection())?.trim_end_matches('/'),
        };
        Uuid::try_parse(id).ok()
    }
}

impl From<ResourceKind> for Kind {
    fn from(resource: ResourceKind) -> Self {
        match resource {
            ResourceKind::Repository => Self::Repository,
            ResourceKind::Remote => Self::Remote,
            ResourceKind::Distribution => Self::Distribution,
        }
    }
}

/// The path of a repository's version.
pub fn version_href(repository: Uuid, number: i64) -> String {
    let mut href = Kind::Repository.href(repository);
    let _ = write!(href, "versions/{number}/");
    href
}

/// The resource name of a repository's version.
pub fn version_prn(id: Uuid) -> String {
    format!("{VERSION_PRN}{id}")
}

/// How a request names a version of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionName {
    /// By its path.
    Number {
        /// The repository's id.
        repository: Uuid,
        /// The version's number.
        number: i64,
    },
    /// By its resource name.
    Id(Uuid),
    /// By its repository: the latest version is meant.
    Latest(Uuid),
}

impl VersionName {
    /// Reads a path or a resource name, of a version or of a repository.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(id) = text.strip_prefix(VERSION_PRN) {
            return Uuid::try_parse(id).ok().map(Self::Id);
        }
        if let Some(repository) = Kind::Repository.parse(text) {
            return Some(Self::Latest(repository));
        }
        let rest = path_of(text)?.strip_prefix(Kind::Repository.collection())?;
        let (repository, rest) = rest.split_once("/versions/")?;
        let number: i64 = rest.trim_end_matches('/').parse().ok()?;
        let repository = Uuid::try_parse(repository).ok()?;
        (number >= 0).then_some(Self::Number { repository, number })
    }
}

impl std::fmt::Display for VersionName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&match self {
            Self::Number { repository, number } => version_href(*repository, *number),
            Self::Id(id) => version_prn(*id),
            Self::Latest(repository) => Kind::Repository.href(*repository),
        })
    }
}

/// What follows [`API_ROOT`] in a path or in a URL.
fn path_of(text: &str) -> Option<&str> {
    let path = match text.split_once("://") {
        Some(("http" | "https", rest)) => &rest[rest.find('/')?..],
        _ => text,
    };
    path.strip_prefix(API_ROOT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        let id = Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_0001);
        for kind in Kind::ALL {
            assert_eq!(kind.parse(&kind.href(id)), Some(id));
            assert_eq!(kind.parse(&kind.prn(id)), Some(id));
            assert_eq!(
                kind.parse(&format!("https://host:1/{}", kind.href(id).trim_start_matches('/'))),
                Some(id)
            );
            for other in Kind::ALL.into_iter().filter(|other| *other != kind) {
                assert_eq!(other.parse(&kind.href(id)), None);
                assert_eq!(other.parse(&kind.prn(id)), None);
            }
        }
        for name in
            [VersionName::Number { repository: id, number: 12 }, VersionName::Id(id), VersionName::Latest(id)]
        {
            assert_eq!(VersionName::parse(&name.to_string()), Some(name));
        }
        assert_eq!(VersionName::parse(&Kind::Repository.prn(id)), Some(VersionName::Latest(id)));
        for bad in [
            "",
            "/",
            "x",
            "/pulp/api/v3/",
            "/pulp/api/v3/tasks/",
            "/pulp/api/v3/tasks/../",
            "prn:core.task:",
            "prn:",
        ] {
            assert_eq!(Kind::Task.parse(bad), None, "{bad}");
        }
        for bad in [
            format!("{}versions/-1/", Kind::Repository.href(id)),
            Kind::Remote.href(id),
            "prn:core.repositoryversion:1".to_owned(),
        ] {
            assert_eq!(VersionName::parse(&bad), None, "{bad}");
        }
    }
}
