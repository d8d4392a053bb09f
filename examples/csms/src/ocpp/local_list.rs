//! SendLocalList: a list of any length, in as many messages as the charge point's SendLocalListMaxLength asks for
//! (OCPP 1.6 §9.2.3).

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use onwire::codec::{self, EncodeError, Fault};
use onwire::ocpp::v16::{
    AuthorizationData, GetLocalListVersionRequest, SendLocalListRequest, UpdateStatus, UpdateType,
};

use super::commands::{self, CommandError};
use crate::app::SharedApp;
use crate::security::access::Actor;
use crate::store::records::{configuration, id_tags, local_list};
use crate::store::{StoreError, folded};

/// Where a SendLocalList has its entries.
const LIST: &str = "/localAuthorizationList";

/// To whom lists are being sent: two lists in several messages each would become one that nobody wanted.
#[derive(Debug, Default)]
pub struct Sending(Mutex<HashSet<String>>);

/// A charge point to which nobody else sends a list; dropping it ends that.
struct Turn {
    app: SharedApp,
    charge_point: String,
}

impl Turn {
    fn take(app: &SharedApp, charge_point: &str) -> Option<Self> {
        let mut sending = app.lists.0.lock().unwrap_or_else(PoisonError::into_inner);
        sending
            .insert(charge_point.to_owned())
            .then(|| Self { app: Arc::clone(app), charge_point: charge_point.to_owned() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.app.lists.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.charge_point);
    }
}

/// What the charge point made of a list.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Of the last message that was sent.
    pub version: i64,
    /// The charge point's word on that.
    pub status: UpdateStatus,
    /// How many messages the list takes.
    pub messages: usize,
    /// How many of them the charge point has accepted.
    pub accepted: usize,
}

/// A list that was not sent, or not to its end.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// Somebody else sends one; nothing was sent.
    #[error("another list is being sent to this charge point")]
    Busy,
    /// A message came to nothing.
    #[error("{error}")]
    Command {
        /// What became of it.
        error: CommandError,
        /// How many messages the list takes.
        messages: usize,
        /// How many of them the charge point had accepted before.
        accepted: usize,
    },
}

impl From<CommandError> for ListError {
    fn from(error: CommandError) -> Self {
        Self::Command { error, messages: 1, accepted: 0 }
    }
}

impl From<StoreError> for ListError {
    fn from(error: StoreError) -> Self {
        CommandError::from(error).into()
    }
}

/// A list, or changes of one.
#[derive(Debug, Clone)]
pub struct List {
    /// To whom.
    pub charge_point: String,
    /// All of it, or changes.
    pub kind: UpdateType,
    /// What is in it.
    pub entries: Vec<AuthorizationData>,
    /// How long the answer to each message is waited for.
    pub timeout: Duration,
}

/// Every tag that was entered here.
#[derive(Debug, Clone, Default)]
pub struct AllTags {
    /// As a full list.
    pub entries: Vec<AuthorizationData>,
    /// Those that OCPP has no room for.
    pub left_out: Vec<String>,
}

/// Every tag that was entered here.
///
/// # Errors
/// Those of the database.
pub async fn all_tags(app: &SharedApp) -> Result<AllTags, StoreError> {
    let tags = id_tags::list(&app.store, &id_tags::Filter::default(), None, i64::MAX).await?;
    let (too_long, tags): (Vec<_>, Vec<_>) = tags.into_iter().partition(|tag| tag.too_long.0 != 0);
    let entry = |tag: id_tags::IdTag| AuthorizationData {
        id_tag_info: Some(tag.info()),
        ..AuthorizationData::new(tag.id_tag.as_str())
    };
    let left_out = too_long.into_iter().map(|tag| tag.id_tag).collect();
    Ok(AllTags { entries: tags.into_iter().map(entry).collect(), left_out })
}

/// Whether every entry of a full list says what its tag is worth (OCPP 1.6 §7.1), which the schema cannot ask for.
///
/// # Errors
/// Where that is missing.
pub fn is_complete(kind: &UpdateType, entries: &[AuthorizationData]) -> Result<(), EncodeError> {
    if *kind != UpdateType::Full {
        return Ok(());
    }
    match entries.iter().position(|entry| entry.id_tag_info.is_none()) {
        Some(index) => Err(EncodeError {
            fault: Fault::Missing { property: "idTagInfo" },
            pointer: format!("{LIST}/{index}/idTagInfo"),
        }),
        None => Ok(()),
    }
}

/// Sends a list with the next version; if it is longer than the charge point takes at once, the rest of it as changes, each
/// with the version after. Once begun, it is completed even if the caller goes away. It ends at the first message that is
/// not accepted; what is known here of the list is then what the charge point has.
///
/// # Errors
/// [`ListError`]; also a list that the charge point has no room for (LocalAuthListMaxLength), of which nothing is sent.
pub async fn send(app: &SharedApp, actor: &Actor, list: List) -> Result<Sent, ListError> {
    let turn = Turn::take(app, &list.charge_point).ok_or(ListError::Busy)?;
    let (app, actor) = (Arc::clone(app), actor.clone());
    let task = tokio::spawn(async move {
        let sent = send_all(&app, &actor, list).await;
        drop(turn);
        sent
    });
    task.await.unwrap_or(Err(CommandError::Failed.into()))
}

async fn send_all(app: &SharedApp, actor: &Actor, list: List) -> Result<Sent, ListError> {
    let List { charge_point, kind, entries, timeout } = list;
    let limit = async |key| configuration::number(&app.store, &charge_point, key).await;
    let room = match kind {
        // What there will be in the end.
        UpdateType::Full => limit("LocalAuthListMaxLength").await?,
        _ => None,
    };
    judge(kind.clone(), &entries, room).map_err(CommandError::Unsendable)?;
    let at_once = limit("SendLocalListMaxLength").await?.unwrap_or(usize::MAX);
    let mut version = known_version(app, actor, &charge_point, timeout).await?;
    let mut parts: Vec<&[AuthorizationData]> = entries.chunks(at_once).collect();
    if parts.is_empty() {
        parts.push(&[]);
    }
    let messages = parts.len();
    for (accepted, part) in parts.into_iter().enumerate() {
        version = version.saturating_add(1);
        let kind = if accepted == 0 { kind.clone() } else { UpdateType::Differential };
        let mut request = SendLocalListRequest::new(version, kind);
        request.local_authorization_list = Some(part.to_vec());
        let answer = commands::call(app, actor, &charge_point, &request, timeout).await;
        match answer {
            Ok(answer) if answer.status == UpdateStatus::Accepted => {}
            Ok(answer) => {
                if answer.status != UpdateStatus::NotSupported {
                    ask(app, actor, &charge_point, &request, timeout).await?;
                }
                return Ok(Sent { version, status: answer.status, messages, accepted });
            }
            Err(error) => {
                if error.may_have_acted() {
                    ask(app, actor, &charge_point, &request, timeout).await?;
                }
                return Err(ListError::Command { error, messages, accepted });
            }
        }
    }
    Ok(Sent { version, status: UpdateStatus::Accepted, messages, accepted: messages })
}

/// Whether all of it can be sent, before the first part is.
fn judge(kind: UpdateType, entries: &[AuthorizationData], room: Option<usize>) -> Result<(), EncodeError> {
    if let Some(max) = room.filter(|room| entries.len() > *room) {
        return Err(EncodeError { fault: Fault::TooManyItems { max }, pointer: LIST.into() });
    }
    let mut request = SendLocalListRequest::new(1, kind.clone());
    request.local_authorization_list = Some(entries.to_vec());
    codec::encode(&request, &mut String::new())?;
    is_complete(&kind, entries)?;
    // OCPP 1.6 §6.41: each tag once.
    let mut seen = HashSet::new();
    match entries.iter().position(|entry| !seen.insert(folded(&entry.id_tag))) {
        Some(index) => Err(EncodeError { fault: Fault::Duplicate, pointer: format!("{LIST}/{index}/idTag") }),
        None => Ok(()),
    }
}

/// The version that the next one follows on; asked for if it is not known. 0 if there is none.
async fn known_version(
    app: &SharedApp,
    actor: &Actor,
    charge_point: &str,
    timeout: Duration,
) -> Result<i64, CommandError> {
    let id = charge_point.to_owned();
    // Among the writes, and so after what the charge point has told just now, as after its boot.
    let read = app.store.write(|db| Box::pin(async move { local_list::version(db, &id).await }));
    if let Some(version) = read.await? {
        return Ok(version.max(0));
    }
    match commands::call(app, actor, charge_point, &GetLocalListVersionRequest::new(), timeout).await {
        Ok(answer) => Ok(answer.list_version.max(0)),
        // It may take a list all the same.
        Err(CommandError::Refused(_)) => Ok(0),
        Err(error) => Err(error),
    }
}

/// What a charge point holds that has not accepted a message is its own knowledge; the next version is to follow on that.
async fn ask(
    app: &SharedApp,
    actor: &Actor,
    charge_point: &str,
    sent: &SendLocalListRequest,
    timeout: Duration,
) -> Result<(), CommandError> {
    match commands::call(app, actor, charge_point, &GetLocalListVersionRequest::new(), timeout).await {
        // It has taken the list, although nobody heard it say so.
        Ok(answer) if answer.list_version == sent.list_version => {
            let (id, sent) = (charge_point.to_owned(), sent.clone());
            let take = app.store.write(move |db| {
                Box::pin(async move {
                    let entries = sent.local_authorization_list.unwrap_or_default();
                    local_list::take(db, &id, sent.update_type == UpdateType::Full, &entries).await
                })
            });
            Ok(take.await?)
        }
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::info!(charge_point, %error, "the version of its local list is not known");
            let id = charge_point.to_owned();
            let forget =
                app.store.write(move |db| Box::pin(async move { local_list::set_version(db, &id, None).await }));
            Ok(forget.await?)
        }
    }
}
