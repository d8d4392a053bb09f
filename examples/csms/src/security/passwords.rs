//! People's passwords: kept as argon2id, which takes its time and memory.

use std::sync::{Arc, OnceLock};

use anyhow::{Result, anyhow, ensure};
use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

/// How many are checked at once: each takes 19 MiB.
const AT_ONCE: usize = 2;

/// The shortest password, in characters.
const SHORTEST: usize = 10;

/// The longest, in bytes.
const LONGEST: usize = 1024;

/// Checks and hashes passwords, a few at once.
#[derive(Debug)]
pub struct Passwords(Arc<Semaphore>);

impl Default for Passwords {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Passwords {
    /// Whether that is the password of this hash. Without a hash it is not, and that takes as long, so that nobody learns
    /// which users there are.
    ///
    /// # Errors
    /// The hash cannot be read.
    pub async fn matches(&self, password: String, hash: Option<String>) -> Result<bool> {
        if password.len() > LONGEST {
            return Ok(false);
        }
        self.work(move || match &hash {
            Some(hash) => Ok(Argon2::default().verify_password(password.as_bytes(), hash.as_str()).is_ok()),
            None => {
                let _ = Argon2::default().verify_password(password.as_bytes(), nobody()?);
                Ok(false)
            }
        })
        .await
    }

    /// The hash of a new password.
    ///
    /// # Errors
    /// It is too short or too long.
    pub async fn hash(&self, password: String) -> Result<String> {
        check(&password)?;
        self.work(move || hash(&password)).await
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let permit = Arc::clone(&self.0).acquire_owned().await?;
        let work = move || {
            let done = work();
            drop(permit);
            done
        };
        tokio::task::spawn_blocking(work).await?
    }
}

/// Whether a new password is long enough.
///
/// # Errors
/// It is not, or it is too long.
pub fn check(password: &str) -> Result<()> {
    ensure!(password.chars().count() >= SHORTEST, "a password has at least {SHORTEST} characters");
    ensure!(password.len() <= LONGEST, "a password has at most {LONGEST} bytes");
    Ok(())
}

fn hash(password: &str) -> Result<String> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    Ok(hash.map_err(|error| anyhow!("the password cannot be hashed: {error}"))?.to_string())
}

/// The hash of a password that nobody has.
fn nobody() -> Result<&'static str> {
    static NOBODY: OnceLock<String> = OnceLock::new();
    if let Some(hash) = NOBODY.get() {
        return Ok(hash);
    }
    let made = hash(&data_encoding::HEXLOWER.encode(&super::random::<16>()?))?;
    Ok(NOBODY.get_or_init(|| made))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_by_its_hash_only() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(passwords.matches("correct horse".to_owned(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.matches("wrong horse!".to_owned(), Some(hash)).await.unwrap());
        assert!(!passwords.matches("correct horse".to_owned(), None).await.unwrap());
        assert!(!passwords.matches("correct horse".to_owned(), Some("nonsense".to_owned())).await.unwrap());
        assert!(passwords.hash("short".to_owned()).await.is_err());
    }
}
