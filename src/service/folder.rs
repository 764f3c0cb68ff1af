//! The data folder, and the lock that keeps processes out of it that could not share it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::Error;
use crate::settings::Setting;

const LOCK_FILE: &str = "entrepot.lock";

/// The data folder, held until this is dropped. The system gives it back when the process dies, however it does.
#[derive(Debug)]
pub struct FolderLock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl FolderLock {
    /// Makes the folder, readable by its owner only, if it is missing; then takes it alone, as SQLite demands.
    pub fn take(data_dir: &Setting<impl AsRef<Path>>) -> Result<Self, Error> {
        Self::lock(data_dir, File::try_lock)
    }

    /// As [`FolderLock::take`], but together with others that share it: servers and workers on PostgreSQL.
    pub fn share(data_dir: &Setting<impl AsRef<Path>>) -> Result<Self, Error> {
        Self::lock(data_dir, File::try_lock_shared)
    }

    fn lock(
        data_dir: &Setting<impl AsRef<Path>>,
        try_lock: fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Self, Error> {
        let folder = data_dir.value.as_ref();
        let fail =
            |source| Error::DataFolder { path: folder.to_owned(), from: data_dir.source.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(fail)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(folder.join(LOCK_FILE))
            .map_err(fail)?;
        match try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                // The number is only a help: without it the message is right, too.
                let _ = file.read_to_string(&mut process);
                let process = process.trim();
                let holder = if process.is_empty() { String::new() } else { format!(" (process {process})") };
                return Err(Error::DataFolderBusy { path: folder.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(fail(source)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(fail)?;
        Ok(Self(file))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::settings::Source;

    #[test]
    fn a_folder_is_private_and_taken_once() {
        let parent = tempfile::tempdir().unwrap();
        let data_dir = Setting { value: parent.path().join("a/b"), source: Source::Default };
        let lock = FolderLock::take(&data_dir).unwrap();
        let mode = std::fs::metadata(&data_dir.value).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let text = FolderLock::take(&data_dir).unwrap_err().to_string();
        let process = std::process::id();
        assert!(
            text.contains(&format!("is in use by another entrepot process (process {process})")),
            "{text}"
        );
        assert!(matches!(FolderLock::share(&data_dir), Err(Error::DataFolderBusy { .. })));
        drop(lock);
        let shared = [FolderLock::share(&data_dir).unwrap(), FolderLock::share(&data_dir).unwrap()];
        assert!(matches!(FolderLock::take(&data_dir), Err(Error::DataFolderBusy { .. })));
        drop(shared);
        FolderLock::take(&data_dir).unwrap();
    }

    #[test]
    fn a_file_is_no_folder() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let data_dir = Setting { value: file.path().to_owned(), source: Source::Flag("--data-dir") };
        assert!(matches!(FolderLock::take(&data_dir), Err(Error::DataFolder { .. })));
    }
}
