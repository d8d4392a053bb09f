//! The server's own secret: what charge points' keys are hashed with, so that a copy of the database alone opens nothing.

use std::fmt;
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use data_encoding::HEXLOWER;
use ring::hmac;

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
            Some(Hidden(text)) => text.clone(),
            None => kept(&folder.join("secret"))?,
        };
        let text = text.trim();
        ensure!(text.len() >= LENGTH, "the server's secret is shorter than {LENGTH} characters");
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes())))
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
    let secret = HEXLOWER.encode(&super::random::<LENGTH>()?);
    match private_file(path, true) {
        Ok(mut file) => {
            let written = file.write_all(secret.as_bytes()).and_then(|()| file.sync_all());
            written.with_context(|| format!("cannot write {}", path.display()))?;
            Ok(secret)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            is_private(path)?;
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
        }
        Err(error) => Err(error).with_context(|| format!("cannot make {}", path.display())),
    }
}

/// Opens a file for writing that only its owner can read.
pub(super) fn private_file(path: &Path, is_new: bool) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    if is_new {
        options.create_new(true)
    } else {
        options.create(true).truncate(true)
    };
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
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
