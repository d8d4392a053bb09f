//! The server's own secret: what charge points' keys are hashed with, so that a copy of the database alone opens nothing.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use data_encoding::HEXLOWER;
use ring::hmac;

use crate::durable::{self, Readers};

/// Bytes of a secret that is made here.
const LENGTH: usize = 32;

/// A text that is not shown: of the environment, or of a settings file.
#[derive(Clone, serde::Deserialize)]
pub struct Hidden(String);

impl std::str::FromStr for Hidden {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The secret, fit for hashing.
pub struct Secret(hmac::Key);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Secret {
    /// What was set, or what the file `secret` of that folder holds; it is made if it is not there.
    ///
    /// # Errors
    /// A secret that is too short, or a file that cannot be read or made, or that others can read.
    pub fn open(set: Option<&Hidden>, folder: &Path) -> Result<Self> {
        let text = match set {
            Some(Hidden(text)) => {
                ensure!(text.trim().len() >= LENGTH, "the server's secret is shorter than {LENGTH} characters");
                text.clone()
            }
            None => kept(&folder.join("secret"))?,
        };
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, text.trim().as_bytes())))
    }

    /// Keyed hash of a charge point's key, hexadecimal. It is that of this identity only: copied to another charge point's
    /// row it is worth nothing.
    pub fn hash(&self, identity: &str, key: &[u8]) -> String {
        HEXLOWER.encode(hmac::sign(&self.0, &message(identity, key)).as_ref())
    }

    /// Whether that hash is of this key; takes the same time whichever byte differs.
    pub fn matches(&self, identity: &str, key: &[u8], hash: &str) -> bool {
        let Ok(hash) = HEXLOWER.decode(hash.as_bytes()) else { return false };
        hmac::verify(&self.0, &message(identity, key), &hash).is_ok()
    }
}

/// The identity's length is before it, so that no other identity and key give the same bytes.
fn message(identity: &str, key: &[u8]) -> Vec<u8> {
    let mut message = b"charge point key".to_vec();
    message.extend((identity.len() as u64).to_be_bytes());
    message.extend(identity.as_bytes());
    message.extend(key);
    message
}

fn kept(path: &Path) -> Result<String> {
    if let Some(text) = read_private(path)? {
        return checked(path, text);
    }
    let secret = HEXLOWER.encode(&super::random::<LENGTH>()?);
    let is_new = durable::create(path, secret.as_bytes(), Readers::Owner);
    if is_new.with_context(|| format!("cannot make {}", path.display()))? {
        return Ok(secret);
    }
    // Another process was first.
    let text = read_private(path)?.with_context(|| format!("{} was there and is gone", path.display()))?;
    checked(path, text)
}

/// Earlier versions wrote it in place, so that a power cut could leave it empty.
fn checked(path: &Path, text: String) -> Result<String> {
    ensure!(
        text.trim().len() >= LENGTH,
        "{} is empty or incomplete. Restore it from a backup. If there is none, delete it: a new one is made, and every \
         charge point that has a key needs a new key",
        path.display()
    );
    Ok(text)
}

/// Reads a file that only its owner may read; `None`: there is none.
pub(super) fn read_private(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            is_private(path)?;
            Ok(Some(text))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn is_private(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let metadata = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
        let others = metadata.permissions().mode() & 0o077;
        ensure!(others == 0, "others than its owner may read {}: chmod 600 it", path.display());
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_again_by_the_same_secret_and_identity_only() {
        let folder = tempfile::tempdir().unwrap();
        let secret = Secret::open(None, folder.path()).unwrap();
        let hash = secret.hash("CP1", &[0xff; 16]);
        let again = Secret::open(None, folder.path()).unwrap();
        assert!(again.matches("CP1", &[0xff; 16], &hash));
        assert!(!again.matches("CP1", &[0xfe; 16], &hash) && !again.matches("CP2", &[0xff; 16], &hash));
        assert!(!again.matches("CP1", &[0xff; 16], "") && !again.matches("CP1", &[0xff; 16], "ü"));
        let set: Hidden = "x".repeat(32).parse().unwrap();
        assert!(!Secret::open(Some(&set), folder.path()).unwrap().matches("CP1", &[0xff; 16], &hash));
        assert!(Secret::open(Some(&"short".parse().unwrap()), folder.path()).is_err());
        assert!(!format!("{secret:?} {set:?}").contains('x'));
    }

    #[test]
    fn a_secret_that_was_cut_off_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for text in ["", "0123456789"] {
            durable::replace(&path, text.as_bytes(), Readers::Owner).unwrap();
            let error = Secret::open(None, folder.path()).unwrap_err().to_string();
            assert!(error.contains("is empty or incomplete. Restore it") && error.contains("delete it"), "{error}");
        }
    }

    #[test]
    fn of_those_who_make_the_secret_at_once_all_have_the_same() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let open = || Secret::open(None, folder.path()).unwrap().hash("CP1", b"key");
            let hashes: Vec<String> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(hashes.iter().all(|hash| *hash == open()), "{hashes:?}");
        }
    }

    /// The process that the next test cuts off.
    #[test]
    #[ignore = "the next test runs it"]
    fn makes_a_secret() {
        Secret::open(None, Path::new(&std::env::var_os("ONWIRE_TEST_FOLDER").unwrap())).unwrap();
    }

    /// The system ends the process at the first byte that it writes into a file (SIGXFSZ).
    #[cfg(unix)]
    #[test]
    fn a_start_that_is_cut_off_while_it_makes_the_secret_is_no_obstacle_to_the_next() {
        use std::os::unix::process::ExitStatusExt;
        use std::process::{Command, Stdio};
        let folder = tempfile::tempdir().unwrap();
        let test = "security::secret::tests::makes_a_secret";
        let mut cut = Command::new("sh");
        cut.args(["-c", "ulimit -f 0; exec \"$0\" --exact --ignored \"$1\""]).arg(std::env::current_exe().unwrap());
        cut.arg(test).env("ONWIRE_TEST_FOLDER", folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let ended = cut.status().unwrap();
        assert!(ended.signal().is_some(), "{ended}");
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.len() == 1 && left[0].to_str().unwrap().ends_with(".part"), "{left:?}");
        Secret::open(None, folder.path()).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        Secret::open(None, folder.path()).unwrap();
        let path = folder.path().join("secret");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Secret::open(None, folder.path()).unwrap_err().to_string().contains("chmod 600"));
    }
}
