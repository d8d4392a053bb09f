//! What a charge point sees over FTP: a folder with the one file of its request, to read or to write.

use std::fmt::{self, Debug};
use std::io::SeekFrom;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt};
use unftp_core::storage::{Error, ErrorKind, FEATURE_RESTART, Fileinfo, Metadata, Result, StorageBackend};

use super::login::Visitor;
use crate::app::SharedApp;
use crate::files::location::upload_name;
use crate::files::request::{Purpose, Request, Transport};
use crate::files::upload::{SILENCE, Upload, UploadError, again};

/// Bytes of an upload that are read at once.
const CHUNK: usize = 64 * 1024;

/// Hands files over, in either direction.
pub(super) struct Desk {
    app: SharedApp,
}

impl Desk {
    pub(super) fn new(app: SharedApp) -> Self {
        Self { app }
    }

    /// The visitor's request, which may have ended since it logged in.
    async fn request(&self, visitor: &Visitor, purpose: Purpose) -> Result<Request> {
        let request = again(&self.app, Transport::Ftp, &visitor.request.id).await?;
        if request.purpose == purpose { Ok(request) } else { Err(ErrorKind::PermissionDenied.into()) }
    }

    /// The request's file, if that is what `path` means and there is content.
    async fn file(&self, visitor: &Visitor, path: &Path) -> Result<(Request, Entry)> {
        let request = again(&self.app, Transport::Ftp, &visitor.request.id).await?;
        let name = only_name(path).filter(|name| !name.is_empty() && *name == request.name);
        match (name, request.size) {
            (Some(_), Some(size)) => Ok((request, Entry::File(u64::try_from(size).unwrap_or_default()))),
            _ => Err(ErrorKind::PermanentFileNotAvailable.into()),
        }
    }

    async fn fill(&self, upload: &mut Upload, mut input: impl AsyncRead + Unpin) -> Result<u64> {
        let mut chunk = vec![0; CHUNK];
        let mut total = 0;
        loop {
            let read = tokio::time::timeout(SILENCE, input.read(&mut chunk)).await;
            let read = read.map_err(|_| Error::from(ErrorKind::ConnectionClosed))??;
            let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { return Ok(total) };
            upload.write(bytes).await?;
            total += read as u64;
        }
    }
}

impl Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Desk")
    }
}

/// Something that is seen.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry {
    Folder,
    File(u64),
}

impl Metadata for Entry {
    fn len(&self) -> u64 {
        match self {
            Self::Folder => 0,
            Self::File(size) => *size,
        }
    }

    fn is_dir(&self) -> bool {
        matches!(self, Self::Folder)
    }

    fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    fn is_symlink(&self) -> bool {
        false
    }

    fn modified(&self) -> Result<SystemTime> {
        Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(1))
    }

    fn gid(&self) -> u32 {
        0
    }

    fn uid(&self) -> u32 {
        0
    }
}

/// The file's name, if the path has nothing else; empty for the folder itself.
fn only_name(path: &Path) -> Option<&str> {
    let mut name = "";
    for part in path.components() {
        match part {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(part) if name.is_empty() => name = part.to_str()?,
            _ => return None,
        }
    }
    Some(name)
}

impl From<UploadError> for Error {
    fn from(error: UploadError) -> Self {
        let kind = match &error {
            UploadError::Busy => ErrorKind::TransientFileNotAvailable,
            UploadError::TooLarge => ErrorKind::ExceededStorageAllocationError,
            UploadError::Gone => ErrorKind::PermissionDenied,
            UploadError::Disk(_) | UploadError::Store(_) => ErrorKind::LocalError,
        };
        if kind == ErrorKind::LocalError {
            tracing::error!(%error, "a file could not be served");
        }
        Self::new(kind, error)
    }
}

#[async_trait]
impl StorageBackend<Visitor> for Desk {
    type Metadata = Entry;

    fn supported_features(&self) -> u32 {
        FEATURE_RESTART
    }

    async fn metadata<P: AsRef<Path> + Send + Debug>(&self, user: &Visitor, path: P) -> Result<Entry> {
        match only_name(path.as_ref()) {
            Some("") => Ok(Entry::Folder),
            _ => Ok(self.file(user, path.as_ref()).await?.1),
        }
    }

    async fn list<P: AsRef<Path> + Send + Debug>(
        &self,
        user: &Visitor,
        path: P,
    ) -> Result<Vec<Fileinfo<PathBuf, Entry>>> {
        self.cwd(user, path).await?;
        let name = again(&self.app, Transport::Ftp, &user.request.id).await?.name;
        match self.file(user, Path::new(&name)).await {
            Ok((request, metadata)) => Ok(vec![Fileinfo { path: PathBuf::from(request.name), metadata }]),
            Err(_) => Ok(Vec::new()),
        }
    }

    async fn get<P: AsRef<Path> + Send + Debug>(
        &self,
        user: &Visitor,
        path: P,
        start_pos: u64,
    ) -> Result<Box<dyn AsyncRead + Send + Sync + Unpin>> {
        self.request(user, Purpose::Download).await?;
        let (request, _) = self.file(user, path.as_ref()).await?;
        let mut file = tokio::fs::File::open(self.app.files.shelf.path(&request.file)).await?;
        file.seek(SeekFrom::Start(start_pos)).await?;
        Ok(Box::new(file))
    }

    async fn put<P: AsRef<Path> + Send + Debug, R: AsyncRead + Send + Sync + Unpin + 'static>(
        &self,
        user: &Visitor,
        input: R,
        path: P,
        start_pos: u64,
    ) -> Result<u64> {
        let request = self.request(user, Purpose::Upload).await?;
        let name = path.as_ref().to_str().and_then(upload_name).filter(|name| !name.is_empty());
        let name = name.ok_or(ErrorKind::FileNameNotAllowedError)?;
        if start_pos != 0 {
            // Nothing is kept of what was interrupted.
            return Err(ErrorKind::PermissionDenied.into());
        }
        let mut upload = Upload::begin(&self.app, &request, name).await?;
        let total = self.fill(&mut upload, input).await?;
        // Its time may be over by now.
        self.request(user, Purpose::Upload).await?;
        upload.finish().await?;
        Ok(total)
    }

    async fn del<P: AsRef<Path> + Send + Debug>(&self, _: &Visitor, _: P) -> Result<()> {
        Err(ErrorKind::PermissionDenied.into())
    }

    async fn mkd<P: AsRef<Path> + Send + Debug>(&self, _: &Visitor, _: P) -> Result<()> {
        Err(ErrorKind::PermissionDenied.into())
    }

    async fn rename<P: AsRef<Path> + Send + Debug>(&self, _: &Visitor, _: P, _: P) -> Result<()> {
        Err(ErrorKind::PermissionDenied.into())
    }

    async fn rmd<P: AsRef<Path> + Send + Debug>(&self, _: &Visitor, _: P) -> Result<()> {
        Err(ErrorKind::PermissionDenied.into())
    }

    async fn cwd<P: AsRef<Path> + Send + Debug>(&self, _: &Visitor, path: P) -> Result<()> {
        match only_name(path.as_ref()) {
            Some("") => Ok(()),
            _ => Err(ErrorKind::PermanentDirectoryNotAvailable.into()),
        }
    }
}
