//! Where blobs are while they are written: a folder for each process, so that several can share a store.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::error::{Result, StorageError};

const STAGING: &str = ".staging";
/// Held while folders are made or removed, so that nobody removes one that is just being made.
const GATE: &str = "gate";
const LOCK_SUFFIX: &str = ".lock";

/// This process's folder. It is removed by the next process that opens the store after this one has ended, however it
/// did: the system gives a lock back when its holder dies.
#[derive(Debug)]
pub(super) struct StagingFolder {
    path: PathBuf,
    #[expect(dead_code, reason = "the open file is the lock")]
    lock: File,
}

impl StagingFolder {
    /// Makes a folder for this process below `store`, and removes those of processes that have ended.
    pub(super) fn open(store: &Path) -> Result<Self> {
        let staging = store.join(STAGING);
        let opened = || {
            std::fs::create_dir_all(&staging)?;
            let gate = lock_file(&staging.join(GATE))?;
            gate.lock()?;
            remove_abandoned(&staging)?;
            let name = Uuid::now_v7().to_string();
            let lock = lock_file(&staging.join(format!("{name}{LOCK_SUFFIX}")))?;
            lock.lock()?;
            let path = staging.join(name);
            std::fs::create_dir(&path)?;
            Ok(Self { path, lock })
        };
        opened().map_err(|error: io::Error| StorageError::io("prepare", &staging, error))
    }

    /// A path in it that nothing else has.
    pub(super) fn new_path(&self) -> PathBuf {
        self.path.join(Uuid::now_v7().to_string())
    }
}

fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn remove_abandoned(staging: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(staging)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name == GATE || name.ends_with(LOCK_SUFFIX) {
            continue;
        }
        let lock_path = staging.join(format!("{name}{LOCK_SUFFIX}"));
        match lock_file(&lock_path)?.try_lock() {
            Ok(()) => {
                if path.is_dir() {
                    std::fs::remove_dir_all(&path)?;
                } else {
                    std::fs::remove_file(&path)?;
                }
                std::fs::remove_file(&lock_path)?;
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_processes_that_ended_are_removed() {
        let store = tempfile::tempdir().unwrap();
        let ended = StagingFolder::open(store.path()).unwrap();
        let living = StagingFolder::open(store.path()).unwrap();
        let (abandoned, kept) = (ended.new_path(), living.new_path());
        std::fs::write(&abandoned, "half").unwrap();
        std::fs::write(&kept, "half").unwrap();
        drop(ended);
        // As releases left them that knew one process only.
        let stray = store.path().join(STAGING).join(Uuid::now_v7().to_string());
        std::fs::write(&stray, "half").unwrap();
        let next = StagingFolder::open(store.path()).unwrap();
        assert!(!abandoned.exists() && !stray.exists() && kept.exists());
        let mut left: Vec<_> = std::fs::read_dir(store.path().join(STAGING))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let named = |folder: &StagingFolder| folder.path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut expected: Vec<_> = [named(&living), named(&next)]
            .into_iter()
            .flat_map(|name| [format!("{name}.lock"), name])
            .chain(["gate".to_owned()])
            .collect();
        expected.sort();
        assert_eq!(left, expected);
    }
}
