//! Messages that a broker had kept, on their way to the platform.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::pin::Pin;

use super::Platform;
use super::messages::Message;
use super::owed::Owed;

/// How many wait; nothing is read before one of them is done with.
const WAITING: usize = 64;

/// Hands them to the platform one after the other, and each when all that came before it is done with: a broker that keeps the
/// session may have brought the same message just before, as one of those that waited for the platform.
pub(super) struct Retained<'p, P> {
    platform: &'p P,
    waiting: VecDeque<Waiting>,
    handled: Option<Pin<Box<dyn Future<Output = ()> + Send + 'p>>>,
}

struct Waiting {
    message: Message,
    id: Option<u16>,
    owed: Owed,
}

impl<'p, P: Platform> Retained<'p, P> {
    pub(super) fn of(platform: &'p P) -> Self {
        Self { platform, waiting: VecDeque::new(), handled: None }
    }

    pub(super) fn take(&mut self, message: Message, id: Option<u16>, owed: Owed) {
        let device = message.topic().and_then(|topic| topic.device());
        if device.is_some_and(|device| self.platform.known(device).is_some()) {
            self.waiting.push_back(Waiting { message, id, owed });
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < WAITING
    }

    /// Begins with the next one, if its turn has come: `oldest` is the number of the first message that is not done with.
    pub(super) fn go_on(&mut self, oldest: Option<u16>) {
        if self.handled.is_some() || self.waiting.front().is_none_or(|first| first.id.is_some() && first.id != oldest) {
            return;
        }
        if let Some(Waiting { message, owed, .. }) = self.waiting.pop_front() {
            let platform = self.platform;
            self.handled = Some(Box::pin(async move {
                platform.retained(message).await;
                drop(owed);
            }));
        }
    }

    /// One is done with.
    pub(super) async fn handled(&mut self) {
        match &mut self.handled {
            Some(handled) => handled.await,
            None => pending().await,
        }
        self.handled = None;
    }
}
