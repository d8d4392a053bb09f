//! What a device says of who takes messages that are no calls.

use std::future::Future;
use std::time::Duration;

use super::dispatch::Route;
use super::{DeviceBuilder, Message, Messages};
use crate::alink::{DeviceRef, Ota, RawDirection, ShadowMessage, ShadowState, Topic};
use crate::mqtt::QoS;

/// # Messages that are no calls
/// The first handler whose filter matches has the message, in the order in which they are named here;
/// [`on_message`](DeviceBuilder::on_message) has those that are left. Handlers that answer run side by side, eight at once, and
/// each for [`rrpc_timeout`](DeviceBuilder::rrpc_timeout) at the most; 32 more wait, and what comes then is not answered. All
/// others run one after the other, in the order of their messages; if 32 wait, nothing more is read. Any handler may call the
/// platform and wait for what it says. One that panics loses its own message only.
impl DeviceBuilder {
    /// Takes messages on topics of the user's own, and subscribes to them after each login. The filter may have `+` and `#`.
    ///
    /// ```no_run
    /// # use onwire::net::alink::{DeviceBuilder, Message};
    /// # use onwire::mqtt::QoS;
    /// # fn example(builder: DeviceBuilder) -> DeviceBuilder {
    /// builder.on_topic("/a1X/SN1/user/tariff/+", QoS::AtLeastOnce, |message: Message| async move {
    ///     println!("{}: {} bytes", message.topic, message.payload.len());
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn on_topic<F>(
        mut self,
        filter: impl Into<String>,
        qos: QoS,
        take: impl Fn(Message) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let filter = filter.into();
        self.routes.push(Route::taking(filter.clone(), take));
        self.topic(filter, qos)
    }

    /// Answers requests of the platform on topics of the user's own: `/ext/rrpc/{id}{filter}`. The answer goes back on the topic
    /// on which the request came, by which the platform knows it; it waits for 1 to 8 s. The filter may have `+` and `#`.
    ///
    /// ```no_run
    /// # use onwire::net::alink::{DeviceBuilder, Message};
    /// # fn example(builder: DeviceBuilder) -> DeviceBuilder {
    /// builder.on_rrpc("/a1X/SN1/user/door", |request: Message| async move {
    ///     if request.payload == b"open" { "opened" } else { "what?" }
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn on_rrpc<F>(mut self, filter: impl AsRef<str>, answer: impl Fn(Message) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output: Into<Vec<u8>>> + Send + 'static,
    {
        let filter = format!("/ext/rrpc/+{}", filter.as_ref());
        self.routes.push(Route::answering(filter.clone(), answer));
        self.rrpc_topics.push((filter, QoS::AtLeastOnce));
        self
    }

    /// Answers requests on the system's topic (`/sys/{pk}/{dn}/rrpc/request/{id}`) that are no services: bytes in words of the
    /// user's own.
    #[must_use]
    pub fn on_system_rrpc<F>(mut self, answer: impl Fn(Message) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output: Into<Vec<u8>>> + Send + 'static,
    {
        let filter = Topic::RrpcRequest { device: self.device(), id: "+" }.to_string();
        self.routes.push(Route::answering(filter, answer));
        self
    }

    /// Answers raw bytes of the platform (`down_raw`), for a product whose data format is its own.
    #[must_use]
    pub fn on_raw<F>(mut self, answer: impl Fn(Vec<u8>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output: Into<Vec<u8>>> + Send + 'static,
    {
        let filter = Topic::Raw { device: self.device(), direction: RawDirection::Down }.to_string();
        self.routes.push(Route::answering(filter, move |message| answer(message.payload)));
        self
    }

    /// Is told what the platform wants of the device by its shadow. Once it is done,
    /// [`Shadow::report`](super::Shadow::report) says so, and [`Shadow::clear_desired`](super::Shadow::clear_desired).
    #[must_use]
    pub fn on_shadow<F>(mut self, obey: impl Fn(ShadowState) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let filter = Topic::ShadowGet { device: self.device() }.to_string();
        let take = move |message: Message| {
            let wanted = match ShadowMessage::parse(&String::from_utf8_lossy(&message.payload)) {
                Ok(ShadowMessage::Control(state)) => Some(state),
                Ok(ShadowMessage::Reply(_)) => {
                    tracing::debug!("an answer of the shadow that nobody waits for");
                    None
                }
                Err(error) => {
                    tracing::warn!(%error, "ignored what the shadow says");
                    None
                }
            };
            let obeying = wanted.map(&obey);
            async move {
                if let Some(obeying) = obeying {
                    obeying.await;
                }
            }
        };
        self.routes.push(Route::taking(filter, take));
        self
    }

    /// Is told that there is an update (`/ota/device/upgrade/..`), in the words of the platform; `onwire-firmware` reads them, and
    /// has a driver that does all the rest. Where no handler of messages takes that topic, `#[on(OtaUpgrade)]` of
    /// [`onwire::alink::system`](crate::alink::system) is called.
    #[must_use]
    pub fn on_upgrade<F>(mut self, take: impl Fn(Message) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let filter = Topic::Ota { device: self.device(), what: Ota::Upgrade }.to_string();
        self.routes.push(Route::taking(filter, take));
        self
    }

    /// Takes all messages that no other handler takes, and that answer no request.
    #[must_use]
    pub fn on_message<F>(mut self, take: impl Fn(Message) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.rest = Some(Route::taking("#".into(), take));
        self
    }

    /// How long a handler may take to answer. Default 8 s, the longest that the platform waits.
    #[must_use]
    pub fn rrpc_timeout(mut self, rrpc_timeout: Duration) -> Self {
        self.rrpc_timeout = rrpc_timeout;
        self
    }

    /// The handle that [`Device::messages`](super::Device::messages) will give, for handlers that send or ask.
    pub fn messages(&self) -> Messages {
        self.messages.clone()
    }

    pub(super) fn device(&self) -> DeviceRef<'_> {
        DeviceRef { product_key: &self.product_key, device_name: &self.device_name }
    }
}
