//! Secrets at rest: sealed with XChaCha20-Poly1305 under a key that is kept beside the data.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use chacha20poly1305::aead::Aead;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};

use crate::error::{Result, StorageError};

const NONCE_BYTES: usize = 24;

/// The installation's key, 32 random bytes in a file that only its owner can read.
#[derive(Clone)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// A new random key that is kept nowhere.
    pub fn generate() -> Self {
        Self(rand::random())
    }

    /// Reads the key from `path`; makes it, with mode 0600, when it isn't there. It appears whole or not at all.
    pub fn load_or_create(path: &Path) -> Result<Self> {
        if let Some(key) = Self::load(path)? {
            return Ok(key);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let fail = |error| StorageError::io("write the secret key", path, error);
        let mut draft = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
        let key = Self::generate();
        draft.write_all(&key.0).and_then(|()| draft.as_file().sync_all()).map_err(fail)?;
        match draft.persist_noclobber(path) {
            Ok(_) => File::open(folder).and_then(|folder| folder.sync_all()).map(|()| key).map_err(fail),
            // Another process was quicker: its key is the one.
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
                Self::load(path)?.ok_or_else(|| fail(error.error))
            }
            Err(error) => Err(fail(error.error)),
        }
    }

    fn load(path: &Path) -> Result<Option<Self>> {
        let mut key = [0; 32];
        match File::open(path).and_then(|mut file| file.read_exact(&mut key)) {
            Ok(()) => Ok(Some(Self(key))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                let wrong = std::io::Error::other("it must hold 32 bytes: is this the right file?");
                Err(StorageError::io("read the secret key", path, wrong))
            }
            Err(error) => Err(StorageError::io("read the secret key", path, error)),
        }
    }

    /// Encrypts `plain`; equal texts give different results.
    pub(crate) fn seal(&self, plain: &[u8]) -> String {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let mut sealed = nonce.to_vec();
        let boxed =
            self.cipher().encrypt(&XNonce::from(nonce), plain).expect("texts are far below the limit");
        sealed.extend(boxed);
        BASE64.encode(sealed)
    }

    /// Decrypts what [`SecretKey::seal`] made.
    pub(crate) fn open(&self, sealed: &str) -> Result<Vec<u8>> {
        let bytes = BASE64.decode(sealed).map_err(|_| StorageError::WrongKey)?;
        let (nonce, boxed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(StorageError::WrongKey)?;
        self.cipher().decrypt(&XNonce::from(*nonce), boxed).map_err(|_| StorageError::WrongKey)
    }

    /// A keyed hash, for remembering something without keeping it.
    pub(crate) fn keyed_hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        use sha2::{Digest, Sha256};
        let mut inner = Sha256::new_with_prefix(b"entrepot keyed hash");
        inner.update(self.0);
        for part in parts {
            inner.update((part.len() as u64).to_be_bytes());
            inner.update(part);
        }
        // Hashing the result again under the key closes SHA-256's length extension.
        Sha256::new_with_prefix(self.0).chain_update(inner.finalize()).finalize().into()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.0.into())
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_texts_open_only_with_their_key() {
        let key = SecretKey::generate();
        let sealed = key.seal(b"hunter2");
        assert_ne!(sealed, key.seal(b"hunter2"));
        assert_eq!(key.open(&sealed).unwrap(), b"hunter2");
        assert!(matches!(SecretKey::generate().open(&sealed), Err(StorageError::WrongKey)));
        assert!(matches!(key.open("AAAA"), Err(StorageError::WrongKey)));
        assert!(matches!(key.open(&sealed[..sealed.len() - 2]), Err(StorageError::WrongKey)));
    }

    #[test]
    fn the_key_is_made_once_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let made = SecretKey::load_or_create(&path).unwrap();
        assert_eq!(SecretKey::load_or_create(&path).unwrap().0, made.0);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
