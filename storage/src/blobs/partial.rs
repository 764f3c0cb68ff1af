//! Folders of files that arrive over several requests, each named by its id.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, SystemTime};

use registry::Timestamp;
use uuid::Uuid;

use crate::error::{Result, StorageError};

/// The files that nobody has written to since `before`. A folder that isn't there has none.
pub(super) fn idle_files(folder: &Path, before: Timestamp) -> Result<HashSet<Uuid>> {
    let micros = u64::try_from(before.as_micros()).unwrap_or_default();
    let before = SystemTime::UNIX_EPOCH + Duration::from_micros(micros);
    let listed = || {
        let mut found = HashSet::new();
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let id = entry.file_name().to_str().and_then(|name| Uuid::try_parse(name).ok());
            // One that is gone by now was finished, or thrown away by somebody else.
            let changed = entry.metadata().and_then(|found| found.modified());
            if let (Some(id), Ok(changed)) = (id, changed)
                && changed < before
            {
                found.insert(id);
            }
        }
        Ok(found)
    };
    listed().map_err(|error: std::io::Error| StorageError::io("list", folder, error))
}

/// Throws a file away; one that isn't there is fine.
pub(super) async fn remove_file(path: &Path) -> Result<()> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(StorageError::io("remove", path, error)),
        _ => Ok(()),
    }
}
