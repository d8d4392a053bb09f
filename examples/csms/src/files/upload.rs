//! What HTTP and FTP have in common when a file comes in.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::request::Request;
use super::shelf::Draft;
use super::{catalogue, request};
use crate::app::SharedApp;
use crate::store::StoreError;

/// Uploads at one time, of all charge points; one more is told to come later.
const AT_ONCE: usize = 64;

/// How long nothing may come of an upload, or be taken of a download.
pub const SILENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Who uploads at the moment.
#[derive(Debug, Default)]
pub struct Uploads(Mutex<HashMap<String, usize>>);

impl Uploads {
    /// Whether that file is coming in.
    pub fn is_active(&self, file: &str) -> bool {
        self.lock().contains_key(file)
    }

    fn begin(&self, file: &str) -> bool {
        let mut active = self.lock();
        let has_room = active.values().sum::<usize>() < AT_ONCE;
        if has_room {
            *active.entry(file.to_owned()).or_default() += 1;
        }
        has_room
    }

    fn end(&self, file: &str) {
        let mut active = self.lock();
        if let Some(count) = active.get_mut(file) {
            *count -= 1;
            if *count == 0 {
                active.remove(file);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why an upload came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// As many come in already as may.
    #[error("too many uploads at once")]
    Busy,
    /// It is larger than the settings allow.
    #[error("the file is too large")]
    TooLarge,
    /// Its request was taken back, or its time is over.
    #[error("there is no such request")]
    Gone,
    /// The disk.
    #[error("{0}")]
    Disk(std::io::Error),
    /// The database.
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl From<std::io::Error> for UploadError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::FileTooLarge => Self::TooLarge,
            _ => Self::Disk(error),
        }
    }
}

/// A file that comes in. It takes its place when it is complete, also a second time: a charge point that has seen no answer
/// sends it again. Several at once do not hurt each other: the last to be complete stays.
#[derive(Debug)]
pub struct Upload {
    active: Active,
    name: String,
    draft: Draft,
}

#[derive(Debug)]
struct Active {
    app: SharedApp,
    file: String,
}

impl Drop for Active {
    fn drop(&mut self) {
        self.app.files.uploads.end(&self.file);
    }
}

impl Upload {
    /// Begins, under a name that [`upload_name`](super::location::upload_name) has judged.
    ///
    /// # Errors
    /// [`UploadError::Busy`], [`UploadError::Disk`].
    pub async fn begin(app: &SharedApp, request: &Request, name: &str) -> Result<Self, UploadError> {
        if !app.files.uploads.begin(&request.file) {
            return Err(UploadError::Busy);
        }
        let active = Active { app: app.clone(), file: request.file.clone() };
        let draft = app.files.shelf.draft(app.config.files.upload_limit).await?;
        Ok(Self { active, name: name.to_owned(), draft })
    }

    /// Appends.
    ///
    /// # Errors
    /// [`UploadError::TooLarge`], [`UploadError::Disk`].
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), UploadError> {
        Ok(self.draft.write(bytes).await?)
    }

    /// It is complete: keeps it, in its place and in the database. It does so to its end, whether or not the caller waits.
    ///
    /// # Errors
    /// [`UploadError::Gone`], [`UploadError::Disk`], [`UploadError::Store`].
    pub async fn finish(self) -> Result<(), UploadError> {
        match tokio::spawn(self.keep()).await {
            Ok(kept) => kept,
            Err(error) => Err(UploadError::Disk(std::io::Error::other(error))),
        }
    }

    async fn keep(self) -> Result<(), UploadError> {
        let Self { active, name, draft } = self;
        let Active { app, file } = &active;
        let complete = draft.complete().await?;
        let content = complete.put(file).await?;
        tracing::info!(file, size = content.size, "a charge point has uploaded a file");
        if !catalogue::complete(&app.store, file, &name, content).await? {
            app.files.shelf.remove(file).await?;
            return Err(UploadError::Gone);
        }
        Ok(())
    }
}

/// The request again, if it holds still.
///
/// # Errors
/// [`UploadError::Gone`], [`UploadError::Store`].
pub async fn again(app: &SharedApp, transport: request::Transport, id: &str) -> Result<Request, UploadError> {
    request::again(&app.store, transport, id).await?.ok_or(UploadError::Gone)
}
