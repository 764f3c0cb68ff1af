//! Remotes: where content is copied from.

use std::collections::BTreeMap;
use std::str::FromStr;

use registry::Timestamp;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::list::{self, Field};
use super::repositories::must_be_free;
use super::{Catalog, Tx, labels};
use crate::Labels;
use crate::entity::remote::{ActiveModel, Column, Entity, Model};
use crate::entity::{repository, schedule};
use crate::error::{Result, StorageError};
use crate::secret_key::SecretKey;
use registry::query::{ListQuery, Page};

/// When blobs are copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// By the sync.
    #[default]
    Immediate,
    /// When a client first asks for them.
    OnDemand,
    /// Never: each client's request goes through.
    Streamed,
}

impl Policy {
    /// The API's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Immediate => "immediate",
            Self::OnDemand => "on_demand",
            Self::Streamed => "streamed",
        }
    }
}

impl FromStr for Policy {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        [Self::Immediate, Self::OnDemand, Self::Streamed]
            .into_iter()
            .find(|policy| policy.as_str() == text)
            .ok_or(())
    }
}

/// What must never be shown. Kept sealed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RemoteSecrets {
    /// Name at the upstream registry.
    pub username: Option<String>,
    /// Password or token there.
    pub password: Option<String>,
    /// PEM of the client certificate's key.
    pub client_key: Option<String>,
    /// Name at the proxy.
    pub proxy_username: Option<String>,
    /// Password there.
    pub proxy_password: Option<String>,
}

impl std::fmt::Debug for RemoteSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RemoteSecrets(…)")
    }
}

macro_rules! remote_types {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        /// A remote.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Remote {
            /// Identifies it.
            pub id: Uuid,
            /// When it was made.
            pub created: Timestamp,
            /// When it last changed.
            pub updated: Timestamp,
            $($(#[$doc])* pub $name: $type,)*
            /// What must never be shown.
            pub secrets: RemoteSecrets,
        }

        /// A remote to make.
        #[derive(Debug, Clone, PartialEq)]
        pub struct NewRemote {
            $($(#[$doc])* pub $name: $type,)*
            /// What must never be shown.
            pub secrets: RemoteSecrets,
        }

        /// What changes of a remote; `None` stays. May hold secrets: store it only sealed.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct RemoteChanges {
            $($(#[$doc])* #[serde(with = "super::change", skip_serializing_if = "Option::is_none")] pub $name: Option<$type>,)*
            /// Every secret, changed or not.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub secrets: Option<RemoteSecrets>,
        }

        impl RemoteChanges {
            /// Whether `remote` is already so.
            pub fn is_noop(&self, remote: &Remote) -> bool {
                $(self.$name.as_ref().is_none_or(|wanted| *wanted == remote.$name) &&)*
                self.secrets.as_ref().is_none_or(|wanted| *wanted == remote.secrets)
            }

            fn apply(self, remote: &mut Remote) {
                $(if let Some(value) = self.$name { remote.$name = value; })*
                if let Some(secrets) = self.secrets { remote.secrets = secrets; }
            }
        }

        impl NewRemote {
            fn from_remote(remote: Remote) -> Self {
                Self { $($name: remote.$name,)* secrets: remote.secrets }
            }
        }

        impl Remote {
            fn from_new(id: Uuid, now: Timestamp, new: NewRemote) -> Self {
                Self { id, created: now, updated: now, $($name: new.$name,)* secrets: new.secrets }
            }
        }
    };
}

remote_types! {
    /// Its unique name.
    name: String,
    /// Where the registry API is found.
    url: String,
    /// The repository in that registry.
    upstream_name: String,
    /// Free labels.
    labels: Labels,
    /// When blobs are copied.
    policy: Policy,
    /// Whether the upstream's certificate has to be valid.
    tls_validation: bool,
    /// PEM of certificates that are trusted beside the system's.
    ca_cert: Option<String>,
    /// PEM of the certificate that is shown to the upstream.
    client_cert: Option<String>,
    /// The proxy to go through.
    proxy_url: Option<String>,
    /// How often a request is tried again.
    max_retries: Option<i64>,
    /// Seconds that a request may take in all.
    total_timeout: Option<f64>,
    /// Seconds until a connection, with its waiting, is made.
    connect_timeout: Option<f64>,
    /// Seconds until a socket is connected.
    sock_connect_timeout: Option<f64>,
    /// Seconds between two reads.
    sock_read_timeout: Option<f64>,
    /// Headers to send with each request.
    headers: Vec<BTreeMap<String, String>>,
    /// How many downloads run at once.
    download_concurrency: Option<i64>,
    /// Requests in a second.
    rate_limit: Option<i64>,
    /// Tags to take, with wildcards; all when absent.
    includes: Option<Vec<String>>,
    /// Tags to leave, with wildcards.
    excludes: Option<Vec<String>>,
    /// Where signatures are found.
    sigstore: Option<String>,
}

impl Default for NewRemote {
    fn default() -> Self {
        Self {
            name: String::new(),
            url: String::new(),
            upstream_name: String::new(),
            labels: Labels::new(),
            policy: Policy::Immediate,
            tls_validation: true,
            ca_cert: None,
            client_cert: None,
            proxy_url: None,
            max_retries: None,
            total_timeout: None,
            connect_timeout: None,
            sock_connect_timeout: None,
            sock_read_timeout: None,
            headers: Vec::new(),
            download_concurrency: None,
            rate_limit: None,
            includes: None,
            excludes: None,
            sigstore: None,
            secrets: RemoteSecrets::default(),
        }
    }
}

impl NewRemote {
    /// A remote with everything that `changes` says, and what is usual for the rest.
    pub fn from_changes(changes: RemoteChanges) -> Self {
        let mut remote = Remote::from_new(Uuid::nil(), Timestamp::from_micros(0), Self::default());
        changes.apply(&mut remote);
        Self::from_remote(remote)
    }
}

pub(super) fn from_row(row: Model, key: &SecretKey) -> Result<Remote> {
    let secrets = match &row.secrets_sealed {
        Some(sealed) => serde_json::from_slice(&key.open(sealed)?)
            .map_err(|error| StorageError::corrupt("remote's secrets", error))?,
        None => RemoteSecrets::default(),
    };
    Ok(Remote {
        id: row.id,
        created: Timestamp::from_micros(row.created),
        updated: Timestamp::from_micros(row.updated),
        name: row.name,
        url: row.url,
        upstream_name: row.upstream_name,
        labels: labels::from_json(row.labels)?,
        policy: row.policy.parse().map_err(|()| StorageError::corrupt("policy", row.policy))?,
        tls_validation: row.tls_validation,
        ca_cert: row.ca_cert,
        client_cert: row.client_cert,
        proxy_url: row.proxy_url,
        max_retries: row.max_retries,
        total_timeout: row.total_timeout,
        connect_timeout: row.connect_timeout,
        sock_connect_timeout: row.sock_connect_timeout,
        sock_read_timeout: row.sock_read_timeout,
        headers: row.headers.map(|json| labels::read("headers", json)).transpose()?.unwrap_or_default(),
        download_concurrency: row.download_concurrency,
        rate_limit: row.rate_limit,
        includes: row.includes.map(|json| labels::read("includes", json)).transpose()?,
        excludes: row.excludes.map(|json| labels::read("excludes", json)).transpose()?,
        sigstore: row.sigstore,
        secrets,
    })
}

fn to_row(remote: &Remote, key: &SecretKey) -> ActiveModel {
    let sealed = (remote.secrets != RemoteSecrets::default())
        .then(|| key.seal(&serde_json::to_vec(&remote.secrets).expect("five texts can be written")));
    ActiveModel {
        id: Set(remote.id),
        name: Set(remote.name.clone()),
        url: Set(remote.url.clone()),
        upstream_name: Set(remote.upstream_name.clone()),
        labels: Set(labels::to_json(&remote.labels)),
        policy: Set(remote.policy.as_str().to_owned()),
        tls_validation: Set(remote.tls_validation),
        ca_cert: Set(remote.ca_cert.clone()),
        client_cert: Set(remote.client_cert.clone()),
        proxy_url: Set(remote.proxy_url.clone()),
        max_retries: Set(remote.max_retries),
        total_timeout: Set(remote.total_timeout),
        connect_timeout: Set(remote.connect_timeout),
        sock_connect_timeout: Set(remote.sock_connect_timeout),
        sock_read_timeout: Set(remote.sock_read_timeout),
        headers: Set((!remote.headers.is_empty()).then(|| labels::write(&remote.headers))),
        download_concurrency: Set(remote.download_concurrency),
        rate_limit: Set(remote.rate_limit),
        includes: Set(remote.includes.as_ref().map(labels::write)),
        excludes: Set(remote.excludes.as_ref().map(labels::write)),
        sigstore: Set(remote.sigstore.clone()),
        secrets_sealed: Set(sealed),
        created: Set(remote.created.as_micros()),
        updated: Set(remote.updated.as_micros()),
    }
}

fn field(name: &str) -> Option<Field> {
    let column = match name {
        "name" => Column::Name,
        "url" => Column::Url,
        "upstream_name" => Column::UpstreamName,
        "policy" => Column::Policy,
        "pulp_id" => Column::Id,
        "pulp_created" => Column::Created,
        "pulp_last_updated" => Column::Updated,
        "pulp_type" => return Some(list::only_type()),
        "pulp_labels" => return Some(Field::Labels(Expr::col((Entity, Column::Labels)))),
        _ => return None,
    };
    Some(Field::Plain(Expr::col((Entity, column))))
}

impl Catalog {
    /// The remote with this id.
    pub async fn find_remote(&self, id: Uuid) -> Result<Option<Remote>> {
        let row = Entity::find_by_id(id).one(self.reader()).await?;
        row.map(|row| from_row(row, &self.0.key)).transpose()
    }

    /// The remote with this name.
    pub async fn find_remote_by_name(&self, name: &str) -> Result<Option<Remote>> {
        let row = Entity::find().filter(Column::Name.eq(name)).one(self.reader()).await?;
        row.map(|row| from_row(row, &self.0.key)).transpose()
    }

    /// Remotes, newest first unless ordered otherwise.
    pub async fn list_remotes(&self, query: &ListQuery) -> Result<Page<Remote>> {
        let ties = [Expr::col((Entity, Column::Created)), Expr::col((Entity, Column::Id))];
        let rows = list::fetch(self.reader(), Entity::find(), query, field, ties).await?;
        rows.try_map(|row| from_row(row, &self.0.key))
    }
}

impl Tx {
    /// Makes a remote.
    pub async fn create_remote(&self, new: NewRemote) -> Result<Remote> {
        self.lock_resources().await?;
        self.check_remote_name(&new.name, None).await?;
        let remote = Remote::from_new(Uuid::now_v7(), self.now(), new);
        Entity::insert(to_row(&remote, &self.catalog.0.key)).exec_without_returning(&self.inner).await?;
        Ok(remote)
    }

    /// Raises what [`Tx::update_remote`] would.
    pub async fn check_remote_changes(&self, id: Uuid, changes: &RemoteChanges) -> Result<()> {
        self.lock_resources().await?;
        match &changes.name {
            Some(name) => self.check_remote_name(name, Some(id)).await,
            None => Ok(()),
        }
    }

    /// Changes a remote.
    pub async fn update_remote(&self, id: Uuid, changes: RemoteChanges) -> Result<Remote> {
        self.check_remote_changes(id, &changes).await?;
        let row = Entity::find_by_id(id).one(&self.inner).await?;
        let row = row.ok_or(StorageError::NotFound { kind: "ContainerRemote" })?;
        let mut remote = from_row(row, &self.catalog.0.key)?;
        changes.apply(&mut remote);
        remote.updated = self.now();
        to_row(&remote, &self.catalog.0.key).update(&self.inner).await?;
        Ok(remote)
    }

    /// Raises [`StorageError::InUse`] while a repository or a schedule names the remote.
    pub(crate) async fn check_remote_deletable(&self, id: Uuid) -> Result<()> {
        self.lock_resources().await?;
        let user =
            repository::Entity::find().filter(repository::Column::RemoteId.eq(id)).one(&self.inner).await?;
        if let Some(row) = user {
            return Err(StorageError::InUse {
                field: "remote",
                message: format!(
                    "The repository '{}' syncs from this remote: give it another one first.",
                    row.name
                ),
            });
        }
        let user =
            schedule::Entity::find().filter(schedule::Column::RemoteId.eq(id)).one(&self.inner).await?;
        match user {
            None => Ok(()),
            Some(row) => Err(StorageError::InUse {
                field: "remote",
                message: format!(
                    "The schedule '{}' syncs from this remote: give it another one or delete it first.",
                    row.name
                ),
            }),
        }
    }

    pub(crate) async fn delete_remote(&self, id: Uuid) -> Result<()> {
        self.check_remote_deletable(id).await?;
        let gone = Entity::delete_by_id(id).exec(&self.inner).await?;
        if gone.rows_affected == 0 { Err(StorageError::NotFound { kind: "ContainerRemote" }) } else { Ok(()) }
    }

    async fn check_remote_name(&self, name: &str, own: Option<Uuid>) -> Result<()> {
        let taken = Entity::find().filter(Column::Name.eq(name)).one(&self.inner).await?;
        must_be_free(taken.map(|row| row.id), own, "name")
    }
}
