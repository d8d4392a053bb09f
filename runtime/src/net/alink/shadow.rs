//! The device's shadow.

use std::sync::PoisonError;

use tokio::sync::Mutex;

use super::messages::Message;
use super::request::{Messages, RequestFailure};
use super::waiting::Expected;
use crate::alink::{
    ShadowMessage, ShadowRefused, ShadowState, Topic, shadow_clear_desired, shadow_delete, shadow_get, shadow_report,
};
use crate::types::RawJson;

/// The device's shadow; [`Messages::shadow`] gives it. One request after the other.
///
/// Each change needs a version above the shadow's. It is kept of what the platform says, asked for where it is not known, and
/// again, once, if somebody else has changed the shadow meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct Shadow<'a>(&'a Messages);

/// The shadow's version, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct ShadowVersion {
    /// Whoever holds it may ask: one after the other, since answers do not say to what they belong.
    turn: Mutex<()>,
    /// The platform tells of it unasked too, while somebody asks.
    known: std::sync::Mutex<Option<i64>>,
}

impl ShadowVersion {
    fn known(&self) -> std::sync::MutexGuard<'_, Option<i64>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that is too high does no harm: it is greater all the same.
    fn is_at_least(&self, version: i64) {
        let mut known = self.known();
        *known = Some(known.map_or(version, |known| known.max(version)));
    }

    /// Nothing is known from here on but what is told meanwhile.
    fn take(&self) -> Option<i64> {
        self.known().take()
    }
}

impl Messages {
    /// Keeps what a message that nobody has asked for says of the shadow's version.
    pub(super) fn heard(&self, message: &Message) {
        if message.topic() != Some(Topic::ShadowGet { device: self.device() }) {
            return;
        }
        if let Ok(ShadowMessage::Control(ShadowState { version: Some(version), .. })) =
            ShadowMessage::parse(&String::from_utf8_lossy(&message.payload))
        {
            self.shadow_version().is_at_least(version);
        }
    }

    /// The device's shadow: what the platform keeps of it while it is away.
    ///
    /// ```no_run
    /// # async fn example(messages: onwire::net::alink::Messages) -> Result<(), Box<dyn std::error::Error>> {
    /// use onwire::types::RawJson;
    ///
    /// let shadow = messages.shadow();
    /// shadow.report(&RawJson::new(r#"{"Power":7.0}"#)?).await?;
    /// if let Some(desired) = shadow.get().await?.desired {
    ///     println!("wanted: {desired:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn shadow(&self) -> Shadow<'_> {
        Shadow(self)
    }
}

impl Shadow<'_> {
    /// The shadow. An empty one is none: [`ShadowRefused::EMPTY`].
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn get(&self) -> Result<ShadowState, RequestFailure> {
        let version = self.0.shadow_version();
        let _turn = version.turn.lock().await;
        let before = version.take();
        let state = self.ask(Expected::Shadow, shadow_get()).await?;
        state.version.or(before).into_iter().for_each(|known| version.is_at_least(known));
        Ok(state)
    }

    /// Says what the device is like: an object, whose members take the place of those that the shadow has.
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn report(&self, reported: &RawJson) -> Result<(), RequestFailure> {
        self.change(|version| shadow_report(reported, version)).await
    }

    /// Says that what was wanted is done, so that nothing is any more.
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn clear_desired(&self) -> Result<(), RequestFailure> {
        self.change(shadow_clear_desired).await
    }

    /// Takes away what the device said once, by name.
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn delete(&self, attributes: &[&str]) -> Result<(), RequestFailure> {
        // Without names, the message would mean all.
        if attributes.is_empty() {
            return Ok(());
        }
        self.change(|version| shadow_delete(attributes, version)).await
    }

    /// Takes away all that the device ever said.
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn delete_all(&self) -> Result<(), RequestFailure> {
        self.change(|version| shadow_delete(&[], version)).await
    }

    /// Says what the device is like, whatever the shadow's version is, which begins anew (`version` -1).
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn begin_anew(&self, reported: &RawJson) -> Result<(), RequestFailure> {
        let version = self.0.shadow_version();
        let _turn = version.turn.lock().await;
        version.take();
        let state = self.ask(Expected::Shadow, shadow_report(reported, -1)).await?;
        state.version.into_iter().for_each(|known| version.is_at_least(known));
        Ok(())
    }

    async fn change(&self, request: impl Fn(i64) -> String) -> Result<(), RequestFailure> {
        let version = self.0.shadow_version();
        let _turn = version.turn.lock().await;
        let mut is_second = false;
        loop {
            // Whoever gives up in between leaves nothing behind that may be wrong.
            let before = match version.take() {
                Some(known) => known,
                None => self.version().await?,
            };
            let next = before.saturating_add(1);
            match self.ask(Expected::ShadowVersion(next), request(next)).await {
                Ok(_) => {
                    version.is_at_least(next);
                    return Ok(());
                }
                Err(RequestFailure::Refused(why)) if why.code == ShadowRefused::VERSION_CONFLICT => {
                    // What is asked for now is newer than what was told meanwhile.
                    version.take();
                    if is_second {
                        return Err(why.into());
                    }
                    is_second = true;
                }
                Err(RequestFailure::Refused(why)) => {
                    version.is_at_least(before);
                    return Err(why.into());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// That of the shadow; 0 while there is none.
    async fn version(&self) -> Result<i64, RequestFailure> {
        match self.ask(Expected::Shadow, shadow_get()).await {
            Ok(state) => Ok(state.version.unwrap_or(0)),
            Err(RequestFailure::Refused(why)) if why.code == ShadowRefused::EMPTY => Ok(0),
            Err(error) => Err(error),
        }
    }

    async fn ask(&self, expected: Expected, request: String) -> Result<ShadowState, RequestFailure> {
        let topic = Topic::ShadowUpdate { device: self.0.device() };
        let answer = self.0.opened().await?.ask(expected, topic, request.into()).await?;
        match ShadowMessage::parse(&String::from_utf8_lossy(&answer.payload))? {
            ShadowMessage::Reply(reply) => Ok(reply?),
            // Not handed over as an answer.
            ShadowMessage::Control(state) => Ok(state),
        }
    }
}
