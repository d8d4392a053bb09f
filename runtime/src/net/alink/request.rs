//! Requests that are no calls: the clock, the shadow, raw bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout_at};

use super::messages::{Message, QueueEnded, Session};
use super::shadow::ShadowVersion;
use super::waiting::Expected;
use crate::alink::system::{FileUploadSendRequest, FileUploadSendResponse};
use crate::alink::{DeviceRef, FRAMING, RawDirection, ShadowRefused, Topic, UploadBlockFrame};
use crate::codec::{DecodeError, EncodeError, Quirks, decode};
use crate::frame::Frame;
use crate::mqtt::QoS;
use crate::{CallError, ErrorCode};

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestFailure {
    /// There was no connection in time; nothing was sent.
    #[error("there is no connection")]
    NotConnected,
    /// 32 requests wait already; nothing was sent.
    #[error("too many requests are waiting")]
    TooMany,
    /// The time ended while the request waited to be sent, because the platform does not read; nothing was sent.
    #[error("the request was not sent in time: the platform does not read")]
    Expired,
    /// No answer in time. The platform may have acted on the request.
    #[error("the platform did not answer in time")]
    Timeout,
    /// The connection ended first. The platform may have acted on the request.
    #[error("the connection ended before the answer came")]
    Disconnected,
    /// The answer cannot be read.
    #[error("the answer cannot be read: {0}")]
    Unreadable(#[from] DecodeError),
    /// The shadow refuses.
    #[error(transparent)]
    Refused(#[from] ShadowRefused),
    /// The platform refuses a block of a file.
    #[error("the platform refuses: {0}")]
    BlockRefused(CallError),
    /// The block cannot be sent: it is larger than 131,072 bytes. Nothing was sent.
    #[error("the block cannot be sent: {0}")]
    Block(#[from] EncodeError),
}

/// Sends messages that are no calls, and asks what is no call; clones send for the same device.
///
/// A request waits for a connection and for the answer 10 s in all, or as [`Messages::timeout`] says. None is repeated by itself.
#[derive(Debug, Clone)]
pub struct Messages {
    sessions: watch::Receiver<Option<Session>>,
    shared: Arc<Shared>,
    timeout: Duration,
}

#[derive(Debug)]
struct Shared {
    product_key: String,
    device_name: String,
    shadow: ShadowVersion,
    /// Whoever holds it may send: one after the other, since answers do not say to what they belong.
    raw: Mutex<()>,
    /// Of requests for blocks.
    next_id: AtomicU32,
}

impl Messages {
    pub(super) fn new(sessions: watch::Receiver<Option<Session>>, device: DeviceRef<'_>) -> Self {
        let shared = Shared {
            product_key: device.product_key.to_owned(),
            device_name: device.device_name.to_owned(),
            shadow: ShadowVersion::default(),
            raw: Mutex::default(),
            next_id: AtomicU32::new(crate::net::random_first_id()),
        };
        Self { sessions, shared: Arc::new(shared), timeout: TIMEOUT }
    }

    /// The same, for requests that wait so long.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sends on the connection that stands. Whether it arrives stays unknown.
    ///
    /// # Errors
    /// [`QueueEnded`] while there is no connection.
    pub async fn publish(&self, topic: impl ToString, payload: impl Into<Vec<u8>>, qos: QoS) -> Result<(), QueueEnded> {
        let publisher = self.sessions.borrow().as_ref().map(|session| session.publisher.clone()).ok_or(QueueEnded)?;
        publisher.publish(topic, payload, qos).await
    }

    /// Sends raw bytes (`up_raw`) and waits for what the platform answers to them: for a product whose data format is its own.
    /// One after the other. An answer that comes too late for its request may be taken for that to the next one: nothing in it
    /// says to which it belongs.
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn send_raw(&self, bytes: impl Into<Vec<u8>>) -> Result<Vec<u8>, RequestFailure> {
        let _turn = self.shared.raw.lock().await;
        let topic = Topic::Raw { device: self.device(), direction: RawDirection::Up };
        let answer = self.opened().await?.ask(Expected::Raw, topic, bytes.into()).await?;
        Ok(answer.payload)
    }

    /// Asks for a block of a file over MQTT (`thing.file.download`), which an update's offer names by its numbers. The whole
    /// answer, which [`FileBlockFrame`](crate::alink::FileBlockFrame) reads: it may be a refusal, or another block than the one that
    /// was meant.
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn file_block(
        &self,
        stream: u64,
        file: u64,
        offset: u32,
        length: u32,
    ) -> Result<Vec<u8>, RequestFailure> {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let request = format!(
            "{{\"id\":\"{id}\",\"version\":\"1.0\",\"params\":{{\"fileInfo\":{{\"streamId\":{stream},\"fileId\":{file}}},\
             \"fileBlock\":{{\"size\":{length},\"offset\":{offset}}}}},\"method\":\"thing.file.download\"}}"
        );
        let topic = Topic::Thing { device: self.device(), path: "file/download" };
        let answer = self.opened().await?.ask(Expected::Block(id), topic, request.into()).await?;
        Ok(answer.payload)
    }

    /// Sends a block of a file that is uploaded (`thing.file.upload.mqtt.send`) and waits until the platform has it. What the
    /// upload is known by says the answer to `FileUploadInit`, and from which byte on it goes on; `is_last` is needed for a
    /// file whose size was not said. 131,072 bytes at the most, 256 at the least but for the last.
    ///
    /// A block that was not answered is sent again: the platform knows it by its offset.
    ///
    /// ```no_run
    /// use onwire::alink::system::{FileUploadInitRequest, FileUploadInitResponse};
    /// use onwire::net::Link;
    /// use onwire::net::alink::Messages;
    ///
    /// async fn upload(link: &Link, messages: &Messages, name: &str, file: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    ///     let mut init = FileUploadInitRequest::new(name, i64::try_from(file.len())?);
    ///     // Goes on where an upload of that name was cut.
    ///     init.conflict_strategy = Some("append".into());
    ///     let FileUploadInitResponse { upload_id, offset, .. } = link.call(init).await?;
    ///     let mut offset = u32::try_from(offset.unwrap_or(0))?;
    ///     while let Some(rest @ [_, ..]) = file.get(offset as usize..) {
    ///         let block = rest.get(..4096).unwrap_or(rest);
    ///         messages.upload_block(&upload_id, offset, block, block.len() == rest.len()).await?;
    ///         offset += u32::try_from(block.len())?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn upload_block(
        &self,
        upload_id: &str,
        offset: u32,
        block: &[u8],
        is_last: bool,
    ) -> Result<FileUploadSendResponse, RequestFailure> {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let mut about = FileUploadSendRequest::new(upload_id, i64::from(offset), 0);
        about.is_complete = Some(is_last);
        let frame = UploadBlockFrame { id: &format!("\"{id}\""), about, block }.to_bytes()?;
        let topic = Topic::Thing { device: self.device(), path: "file/upload/mqtt/send" };
        let answer = self.opened().await?.ask(Expected::Uploaded(id), topic, frame).await?;
        let text = String::from_utf8_lossy(&answer.payload);
        match (FRAMING.split)(&text) {
            Ok(Frame::CallResult { payload, .. }) => Ok(decode(text.get(payload).unwrap_or(""), Quirks::ALL)?),
            Ok(Frame::CallError { error, .. }) => Err(RequestFailure::BlockRefused(error)),
            _ => Err(RequestFailure::BlockRefused(CallError::new(ErrorCode::FormationViolation, "no answer"))),
        }
    }

    pub(super) fn device(&self) -> DeviceRef<'_> {
        DeviceRef { product_key: &self.shared.product_key, device_name: &self.shared.device_name }
    }

    pub(super) fn shadow_version(&self) -> &ShadowVersion {
        &self.shared.shadow
    }

    /// Waits for a connection to ask on.
    pub(super) async fn opened(&self) -> Result<Asking, RequestFailure> {
        let until = Instant::now() + self.timeout;
        let mut sessions = self.sessions.clone();
        let open = sessions.wait_for(|session| session.as_ref().is_some_and(|session| !session.publisher.is_closed()));
        let session = match timeout_at(until, open).await {
            Ok(Ok(session)) => session.clone(),
            Ok(Err(_)) | Err(_) => None,
        };
        Ok(Asking { session: session.ok_or(RequestFailure::NotConnected)?, until })
    }
}

/// A connection, and until when there must be an answer.
pub(super) struct Asking {
    session: Session,
    until: Instant,
}

impl Asking {
    pub(super) async fn ask(
        self,
        expected: Expected,
        topic: Topic<'_>,
        payload: Vec<u8>,
    ) -> Result<Message, RequestFailure> {
        let Session { publisher, waiting } = &self.session;
        let answer = waiting.put(expected).ok_or(RequestFailure::TooMany)?;
        let queued = timeout_at(self.until, publisher.publish(topic, payload, QoS::AtMostOnce)).await;
        queued.map_err(|_| RequestFailure::Expired)?.map_err(|QueueEnded| RequestFailure::Disconnected)?;
        let answered = async {
            tokio::select! {
                biased;
                answer = answer => answer.map_err(|_| RequestFailure::Disconnected),
                () = publisher.ended() => Err(RequestFailure::Disconnected),
            }
        };
        timeout_at(self.until, answered).await.map_err(|_| RequestFailure::Timeout)?
    }
}

#[cfg(test)]
mod tests {
    use super::super::messages::Publisher;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_that_had_no_room_in_time_was_not_sent() {
        let (publisher, mut sent) = Publisher::device();
        let session = Session { publisher: publisher.clone(), waiting: Arc::default() };
        let asking = || Asking { session: session.clone(), until: Instant::now() + TIMEOUT };
        let device = DeviceRef { product_key: "a1", device_name: "d" };
        let topic = Topic::Raw { device, direction: RawDirection::Up };
        let unanswered = asking().ask(Expected::Raw, topic, vec![1]).await;
        assert_eq!(unanswered.unwrap_err(), RequestFailure::Timeout);
        while tokio::time::timeout(TIMEOUT, publisher.publish("/a1/d/user/x", "", QoS::AtMostOnce)).await.is_ok() {}
        assert_eq!(asking().ask(Expected::Raw, topic, vec![2]).await.unwrap_err(), RequestFailure::Expired);
        // The first request, and no other.
        let mut requests = 0;
        while let Ok(outgoing) = sent.try_recv() {
            requests += usize::from(format!("{outgoing:?}").contains("up_raw"));
        }
        assert_eq!(requests, 1);
    }
}
