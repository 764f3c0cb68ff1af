//! Hashing and checking passwords (argon2id), on one thread of its own.
//!
//! argon2 is made to need memory: 19 MiB for each password. On a pool of threads the allocator keeps that much for
//! each thread that ever did it, so that a flood of wrong logins would take all memory there is. One thread takes
//! the memory once for all that wait. A verified credential is remembered elsewhere, so that good ones rarely come
//! here.

use argon2::password_hash::{PasswordHasher, phc::Output, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::{mpsc, oneshot};

use crate::error::{Result, StorageError};

type Job = Box<dyn FnOnce(&mut Vec<Block>) + Send>;

/// The thread. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Passwords(mpsc::UnboundedSender<Job>);

impl Default for Passwords {
    fn default() -> Self {
        let (sender, mut jobs) = mpsc::unbounded_channel::<Job>();
        std::thread::spawn(move || {
            let mut memory = Vec::new();
            while let Some(job) = jobs.blocking_recv() {
                job(&mut memory);
                if jobs.is_empty() {
                    memory = Vec::new();
                }
            }
        });
        Self(sender)
    }
}

impl Passwords {
    /// The hash to store for a password, in PHC's form.
    pub(crate) async fn hash(&self, password: String) -> Result<String> {
        self.run(move |_| {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string()).map_err(unusable)
        })
        .await
    }

    /// Whether a password is the one that `hash` was made of.
    pub(crate) async fn verify(&self, password: String, hash: String) -> Result<bool> {
        self.run(move |memory| {
            let hash = PasswordHash::new(&hash).map_err(unusable)?;
            let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else {
                return Err(unusable("it has no salt or no output"));
            };
            let params = Params::try_from(&hash).map_err(unusable)?;
            let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(unusable)?;
            let version = hash.version.map_or(Ok(Version::default()), Version::try_from).map_err(unusable)?;
            memory.resize(params.block_count(), Block::default());
            let argon2 = Argon2::new(algorithm, version, params);
            let mut output = vec![0; expected.len()];
            argon2
                .hash_password_into_with_memory(password.as_bytes(), &salt, &mut output, memory)
                .map_err(unusable)?;
            // Outputs compare in constant time.
            Ok(Output::new(&output).map_err(unusable)? == expected)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Vec<Block>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let job = move |memory: &mut Vec<Block>| {
            // Whoever has gone away meanwhile costs nothing.
            if !answer.is_closed() {
                let _ = answer.send(work(memory));
            }
        };
        let ended = || unusable("the thread for passwords has ended");
        self.0.send(Box::new(job)).map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

fn unusable(error: impl std::fmt::Display) -> StorageError {
    StorageError::PasswordHash(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_fits_its_password_alone() {
        let passwords = Passwords::default();
        let hash = passwords.hash("right".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(passwords.verify("right".to_owned(), hash.clone()).await.unwrap());
        assert!(!passwords.verify("wrong".to_owned(), hash).await.unwrap());
        let broken = passwords.verify("right".to_owned(), "no hash".to_owned()).await;
        assert!(matches!(broken, Err(StorageError::PasswordHash(_))));
    }
}
