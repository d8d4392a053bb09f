//! Small files, such as keys, that are there whole or not at all, whenever the process or the power fails: written beside
//! their place, synced, and renamed. What a failure leaves beside (`.NAME.*.part`) is never read, and may be deleted.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use tempfile::Builder;

/// Makes a folder that only its owner may look into, unless it is there.
///
/// # Errors
/// Those of the system.
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
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
pub(crate) fn private_file(path: &Path) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Makes a file that only its owner may read, and which is durable then. `false`: there is a file of that name already, which
/// stays as it is, whoever made it meanwhile.
///
/// # Errors
/// Those of the system. The file is not there then, or is whole.
pub(crate) fn create(path: &Path, content: &[u8]) -> io::Result<bool> {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().ok_or(ErrorKind::InvalidInput)?);
    prefix.push(".");
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Its mode is 0600 from its first moment on.
    let mut file = Builder::new().prefix(&prefix).suffix(".part").tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    let is_new = match file.persist_noclobber(path) {
        Ok(_) => true,
        Err(failed) if failed.error.kind() == ErrorKind::AlreadyExists => false,
        Err(failed) => return Err(failed.error),
    };
    // The name is to survive a power cut, too.
    #[cfg(unix)]
    std::fs::File::open(folder)?.sync_all()?;
    Ok(is_new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert!(create(&path, b"one").unwrap());
        assert!(!create(&path, b"two").unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "nothing is left beside");
        assert!(create(&folder.path().join("none/a"), b"").is_err());
    }
}
