//! Secrets at rest: ChaCha20-Poly1305 with a key file of the data folder, so that a copy of the database alone opens nothing.
//!
//! They are needed as they are, to check a signature, and so cannot be hashed.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use data_encoding::{BASE64, HEXLOWER};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::durable;
use crate::store::StoreError;

/// Seals and opens.
pub(crate) struct Seal(LessSafeKey);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(***)")
    }
}

impl Seal {
    /// With the file `key` of that folder; it is made, readable for its owner only, if it is not there.
    ///
    /// # Errors
    /// A file that cannot be read or made, that is no key, or that others can read.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("key");
        let text = kept(&path).with_context(|| format!("the key file {}", path.display()))?;
        let bytes = HEXLOWER.decode(text.trim().as_bytes()).ok();
        let key = bytes.and_then(|bytes| UnboundKey::new(&CHACHA20_POLY1305, &bytes).ok());
        // Earlier versions wrote it in place, so that a power cut could leave it empty.
        let key = key.with_context(|| {
            format!(
                "{} is not 64 hexadecimal digits. If it is empty or incomplete, restore it from a backup. If there is none, \
                 delete it: a new one is made, but what the database has of secrets cannot be read with it, so that devices \
                 have to be entered anew",
                path.display()
            )
        })?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Seals a text for that place: in another row it cannot be opened.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(crate) fn seal(&self, place: &str, text: &str) -> Result<String> {
        let nonce = super::random::<NONCE_LEN>()?;
        let mut sealed = text.as_bytes().to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut sealed)
            .map_err(|_| anyhow::anyhow!("a secret cannot be sealed"))?;
        sealed.splice(0..0, nonce);
        Ok(BASE64.encode(&sealed))
    }

    /// Opens what was sealed for that place.
    ///
    /// # Errors
    /// It was not, or with another key.
    pub(crate) fn open_text(&self, place: &str, sealed: &str) -> Result<String, StoreError> {
        let wrong = || StoreError::Corrupt("a secret");
        let bytes = BASE64.decode(sealed.as_bytes()).map_err(|_| wrong())?;
        let (nonce, rest) = bytes.split_at_checked(NONCE_LEN).ok_or_else(wrong)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| wrong())?;
        let mut rest = rest.to_vec();
        let text = self.0.open_in_place(nonce, Aad::from(place), &mut rest).map_err(|_| wrong())?;
        String::from_utf8(text.to_vec()).map_err(|_| wrong())
    }
}

fn kept(path: &Path) -> Result<String> {
    if let Some(text) = read_private(path)? {
        return Ok(text);
    }
    let key = HEXLOWER.encode(&super::random::<32>()?);
    if durable::create(path, key.as_bytes()).context("cannot be made")? {
        return Ok(key);
    }
    // Another process was first.
    read_private(path)?.context("was there and is gone")
}

/// `None`: there is no such file.
fn read_private(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let mode = std::fs::metadata(path).context("cannot be read")?.permissions().mode();
                ensure!(mode & 0o077 == 0, "can be read by others than its owner: chmod 600 it");
            }
            Ok(Some(text))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_opened_with_its_key_and_in_its_place_only() {
        let folder = tempfile::tempdir().unwrap();
        let seal = Seal::open(folder.path()).unwrap();
        let sealed = seal.seal("device/1", "0123456789abcdef").unwrap();
        assert!(!sealed.contains("0123") && sealed != seal.seal("device/1", "0123456789abcdef").unwrap());
        let again = Seal::open(folder.path()).unwrap();
        assert_eq!(again.open_text("device/1", &sealed).unwrap(), "0123456789abcdef");
        assert!(again.open_text("device/2", &sealed).is_err() && again.open_text("device/1", "AAAA").is_err());
        let other = tempfile::tempdir().unwrap();
        assert!(Seal::open(other.path()).unwrap().open_text("device/1", &sealed).is_err());
    }

    #[test]
    fn a_key_that_was_cut_off_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "0123456789abcdef"] {
            let path = folder.path().join("key");
            drop(std::fs::remove_file(&path));
            durable::create(&path, text.as_bytes()).unwrap();
            let error = Seal::open(folder.path()).unwrap_err().to_string();
            assert!(error.contains("If it is empty or incomplete, restore it"), "{error}");
        }
    }

    #[test]
    fn of_those_who_make_the_key_at_once_all_have_the_same() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let seals: Vec<Seal> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| Seal::open(folder.path()).unwrap())).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let sealed = seals[0].seal("device/1", "secret").unwrap();
            assert!(seals.iter().all(|seal| seal.open_text("device/1", &sealed).is_ok()));
        }
    }

    /// The process that the next test cuts off.
    #[test]
    #[ignore = "the next test runs it"]
    fn makes_a_key() {
        Seal::open(Path::new(&std::env::var_os("ONWIRE_TEST_FOLDER").unwrap())).unwrap();
    }

    /// The system ends the process at the first byte that it writes into a file (SIGXFSZ).
    #[cfg(unix)]
    #[test]
    fn a_start_that_is_cut_off_while_it_makes_the_key_is_no_obstacle_to_the_next() {
        use std::os::unix::process::ExitStatusExt;
        use std::process::{Command, Stdio};
        let folder = tempfile::tempdir().unwrap();
        let mut cut = Command::new("sh");
        cut.args(["-c", "ulimit -f 0; exec \"$0\" --exact --ignored \"$1\""]).arg(std::env::current_exe().unwrap());
        cut.arg("security::seal::tests::makes_a_key").env("ONWIRE_TEST_FOLDER", folder.path());
        let ended = cut.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(ended.signal().is_some(), "{ended}");
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.len() == 1 && left[0].to_str().unwrap().ends_with(".part"), "{left:?}");
        Seal::open(folder.path()).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        Seal::open(folder.path()).unwrap();
        let path = folder.path().join("key");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(format!("{:#}", Seal::open(folder.path()).unwrap_err()).contains("chmod 600"));
    }
}
