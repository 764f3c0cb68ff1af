//! The commands that work on the catalog and end: a new password, tables brought up to date.

use rand::distr::{Alphanumeric, SampleString as _};

use crate::service::{ADMIN, FolderLock, open_catalog};
use crate::{Error, Settings};

/// As many letters and digits as the first start's password has: 142 bits.
const PASSWORD_LENGTH: usize = 24;

/// `entrepot reset-admin-password`. It takes no lock: a service that runs meanwhile asks for the new password
/// from then on.
pub async fn reset_admin_password(settings: &Settings) -> Result<(), Error> {
    let folder = &settings.data_dir.value;
    if settings.is_sqlite() && !settings.secret_key_file.value.exists() {
        return Err(Error::NothingThere(folder.clone()));
    }
    let catalog = open_catalog(settings).await?;
    if let Some(given) = &settings.admin_password {
        catalog.set_password(ADMIN, &given.value.0).await?;
        println!("The user \"{ADMIN}\" now has the password from {}.", given.source);
    } else {
        let password = Alphanumeric.sample_string(&mut rand::rng(), PASSWORD_LENGTH);
        catalog.set_password(ADMIN, &password).await?;
        eprintln!("The new password of the user \"{ADMIN}\", shown only now:");
        println!("{password}");
    }
    catalog.close().await;
    Ok(())
}

/// `entrepot migrate`
pub async fn migrate(settings: &Settings) -> Result<(), Error> {
    let take = if settings.is_sqlite() { FolderLock::take } else { FolderLock::share };
    let _lock = take(&settings.data_dir)?;
    open_catalog(settings).await?.close().await;
    println!("The database is up to date.");
    Ok(())
}
