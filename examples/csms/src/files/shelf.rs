//! Files on disk. A file's name there is its id, which is ours: what others call it never becomes a path.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ring::digest;
use tokio::io::AsyncWriteExt;

use super::request::random_id;

/// Ends the name of a file that is not complete.
const PART: &str = ".part";

/// A folder of files.
#[derive(Debug)]
pub struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// A shelf in that folder, which is made if it is not there.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open(folder: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self { folder })
    }

    /// Removes files that were not completed. Whole ones that the database does not know stay, because it may be the wrong
    /// database; the log tells how many they are.
    ///
    /// # Errors
    /// Those of the system.
    pub fn sweep(&self, known: &HashSet<String>) -> Result<()> {
        let folder = &self.folder;
        let mut strangers = 0_u32;
        for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let entry = entry?;
            if !entry.file_type()?.is_file() {
                continue;
            }
            let name = entry.file_name();
            match name.to_str() {
                Some(name) if name.ends_with(PART) => std::fs::remove_file(entry.path())?,
                Some(name) if known.contains(name) => {}
                _ => strangers += 1,
            }
        }
        if strangers > 0 {
            tracing::warn!(folder = %folder.display(), strangers, "there are files that the database does not know");
        }
        Ok(())
    }

    /// Where the file with that id is, or would be. Ids come from [`random_id`].
    pub fn path(&self, id: &str) -> PathBuf {
        self.folder.join(id)
    }

    /// Begins a file of at most `limit` bytes.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn draft(&self, limit: u64) -> io::Result<Draft> {
        let path = self.folder.join(format!("{}{PART}", random_id()));
        let file = tokio::fs::File::create_new(&path).await?;
        let left = LeftBehind { path: Some(path) };
        Ok(Draft {
            file,
            left,
            folder: self.folder.clone(),
            size: 0,
            limit,
            digest: digest::Context::new(&digest::SHA256),
        })
    }

    /// Removes a file; one that is not there is no error.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn remove(&self, id: &str) -> io::Result<()> {
        match tokio::fs::remove_file(self.path(id)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// A file that comes in. Nobody sees it before it is complete, and nothing is left of it if it is dropped.
pub struct Draft {
    file: tokio::fs::File,
    left: LeftBehind,
    folder: PathBuf,
    size: u64,
    limit: u64,
    digest: digest::Context,
}

/// What a complete file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// In bytes.
    pub size: i64,
    /// Hexadecimal.
    pub sha256: String,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("left", &self.left).field("size", &self.size).finish_non_exhaustive()
    }
}

impl Draft {
    /// Appends.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] if it would exceed its limit; those of the system.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.size = self.size.saturating_add(bytes.len() as u64);
        if self.size > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.digest.update(bytes);
        self.file.write_all(bytes).await
    }

    /// Makes it durable, without putting it in place.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn complete(mut self) -> io::Result<Complete> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        let sha256 = data_encoding::HEXLOWER.encode(self.digest.finish().as_ref());
        let content = Content { size: i64::try_from(self.size).unwrap_or(i64::MAX), sha256 };
        Ok(Complete { left: self.left, folder: self.folder, content })
    }
}

/// A file that is complete, and not in its place yet.
#[derive(Debug)]
pub struct Complete {
    left: LeftBehind,
    folder: PathBuf,
    /// What it is.
    pub content: Content,
}

impl Complete {
    /// Puts it in place of what was there under that id.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn put(mut self, id: &str) -> io::Result<Content> {
        if let Some(path) = self.left.path.take() {
            let moved = tokio::fs::rename(&path, self.folder.join(id)).await;
            if moved.is_err() {
                self.left.path = Some(path);
            }
            moved?;
        }
        sync_folder(&self.folder).await?;
        Ok(self.content)
    }
}

/// The new name is to survive a power cut, too.
async fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    tokio::fs::File::open(folder).await?.sync_all().await?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Removes the file when it is dropped.
#[derive(Debug)]
struct LeftBehind {
    path: Option<PathBuf>,
}

impl Drop for LeftBehind {
    fn drop(&mut self) {
        if let Some(path) = self.path.take()
            && let Err(error) = std::fs::remove_file(&path)
        {
            tracing::warn!(%error, path = %path.display(), "an incomplete file cannot be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_file_is_seen_when_it_is_complete_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path().to_owned()).unwrap();
        let mut draft = shelf.draft(8).await.unwrap();
        draft.write(b"abc").await.unwrap();
        assert!(!shelf.path("id").exists());
        let content = draft.complete().await.unwrap().put("id").await.unwrap();
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(content, Content { size: 3, sha256: sha256.to_owned() });
        assert_eq!(names(folder.path()), ["id"]);

        let mut draft = shelf.draft(2).await.unwrap();
        assert_eq!(draft.write(b"abc").await.unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        drop(draft);
        drop(shelf.draft(8).await.unwrap().complete().await.unwrap());
        assert_eq!(names(folder.path()), ["id"], "nothing is left of a draft");
    }

    #[test]
    fn only_what_was_not_completed_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path().to_owned()).unwrap();
        for name in ["known", "unknown", "cut.part"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        shelf.sweep(&HashSet::from(["known".to_owned()])).unwrap();
        assert_eq!(names(folder.path()), ["known", "unknown"]);
    }
}
