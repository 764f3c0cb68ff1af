//! What the service keeps: the data folder, the catalog, the blobs.

use registry::Clock;
use storage::{AdminSetup, BlobStore, Catalog, CatalogConfig, SecretKey};

use super::folder::FolderLock;
use crate::{Error, Settings};

/// The folder in the data folder that holds the blobs.
const BLOBS: &str = "blobs";

/// Everything durable, opened. No other process has the data folder meanwhile.
#[derive(Debug)]
pub struct Stores {
    /// The catalog, its tables up to date.
    pub catalog: Catalog,
    /// The blobs.
    pub blobs: BlobStore,
    pub(super) lock: FolderLock,
}

impl Stores {
    /// Opens everything in the folder that was taken; makes what is missing.
    pub async fn open(settings: &Settings, lock: FolderLock) -> Result<Self, Error> {
        let catalog = open_catalog(settings).await?;
        let blobs = BlobStore::open(&settings.data_dir.value.join(BLOBS)).await?;
        let given = settings.admin_password.as_ref().map(|password| password.value.0.as_str());
        match (catalog.ensure_admin(given).await?, given) {
            (AdminSetup::Existing, Some(password)) => warn_of_other_password(&catalog, password).await?,
            (AdminSetup::CreatedWith(password), _) => show_password(&password),
            _ => {}
        }
        Ok(Self { catalog, blobs, lock })
    }
}

/// Opens the catalog and brings its tables up to date.
pub async fn open_catalog(settings: &Settings) -> Result<Catalog, Error> {
    let config = CatalogConfig {
        database_url: settings.database_url.value.0.clone(),
        secret_key: SecretKey::load_or_create(&settings.secret_key_file.value)?,
        max_connections: settings.database_connections.value,
        tasks_per_upstream: settings.tasks_per_upstream.value,
    };
    let from = settings.database_url.source.clone();
    let opened = async {
        let catalog = Catalog::connect(config, Clock::system()).await?;
        catalog.migrate().await?;
        Ok(catalog)
    };
    opened.await.map_err(|source| Error::Database { from, source })
}

/// The setting is for the first start: it must not seem to have changed anything later.
async fn warn_of_other_password(catalog: &Catalog, password: &str) -> Result<(), Error> {
    if catalog.verify_password(super::ADMIN, password).await?.is_none() {
        tracing::warn!(
            "admin_password (ENTREPOT_ADMIN_PASSWORD) is not the password of the user admin, and is ignored: \
             it is only used by the first start. `entrepot reset-admin-password` sets it"
        );
    }
    Ok(())
}

/// Shows the generated password, once and nowhere else: it is not logged.
fn show_password(password: &str) {
    let lines = [
        "The user \"admin\" was made, with this password:".to_owned(),
        String::new(),
        format!("    {password}"),
        String::new(),
        "It is shown only now. For another one: entrepot reset-admin-password".to_owned(),
    ];
    let width = lines.iter().map(String::len).max().unwrap_or_default();
    let edge = "─".repeat(width + 2);
    eprintln!("╭{edge}╮");
    for line in lines {
        eprintln!("│ {line:width$} │");
    }
    eprintln!("╰{edge}╯");
}
