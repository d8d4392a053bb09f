//! Small files, such as keys, that are there whole or not at all, whenever the process or the power fails: written beside
//! their place, synced, and renamed. What a failure leaves beside (`.NAME.*.part`) is never read, and may be deleted.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

/// Makes a folder that only its owner may look into, unless it is there.
///
/// # Errors
/// Those of the system.
pub fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes an empty file that only its owner may read, unless it is there: for a library that would let everybody.
///
/// # Errors
/// Those of the system.
pub fn private_file(path: &Path) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Its owner only, from the file's first moment on.
    Owner,
    /// Everybody whom the process's umask does not exclude.
    Everybody,
}

/// Makes a file, which is durable then. `false`: there is a file of that name already, which stays as it is, whoever made it
/// meanwhile.
///
/// # Errors
/// Those of the system. The file is not there then, or is whole.
pub fn create(path: &Path, content: &[u8], readers: Readers) -> io::Result<bool> {
    let is_new = match beside(path, content, readers)?.persist_noclobber(path) {
        Ok(_) => true,
        Err(failed) if failed.error.kind() == ErrorKind::AlreadyExists => false,
        Err(failed) => return Err(failed.error),
    };
    sync_folder(path)?;
    Ok(is_new)
}

/// Makes a file, or replaces the one of that name; it is durable then.
///
/// # Errors
/// Those of the system. The file is the old one or the new one then.
pub fn replace(path: &Path, content: &[u8], readers: Readers) -> io::Result<()> {
    beside(path, content, readers)?.persist(path).map_err(|failed| failed.error)?;
    sync_folder(path)
}

/// A file with that content in the folder of `path`; it is removed when it is dropped.
fn beside(path: &Path, content: &[u8], readers: Readers) -> io::Result<NamedTempFile> {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().ok_or(ErrorKind::InvalidInput)?);
    prefix.push(".");
    let mut builder = Builder::new();
    builder.prefix(&prefix).suffix(".part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(match readers {
        Readers::Owner => 0o600,
        Readers::Everybody => 0o644,
    }));
    #[cfg(not(unix))]
    let _ = readers;
    let mut file = builder.tempfile_in(folder(path))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The name of a file is to survive a power cut, too.
fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    std::fs::File::open(folder(path))?.sync_all()?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_made_once_and_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert!(create(&path, b"one", Readers::Owner).unwrap());
        assert!(!create(&path, b"two", Readers::Owner).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        replace(&path, b"three", Readers::Owner).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        assert_eq!(names(folder.path()), ["a"], "nothing is left beside");
        assert!(create(&folder.path().join("none/a"), b"", Readers::Owner).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_what_is_for_the_owner_whatever_was_there() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        replace(&path, b"public", Readers::Everybody).unwrap();
        assert_eq!(mode() & 0o700, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        replace(&path, b"secret", Readers::Owner).unwrap();
        assert_eq!(mode(), 0o600);
    }
}
