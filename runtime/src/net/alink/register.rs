//! Registration over MQTT, of a device that has its product's secret only.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::login::login;
use super::socket::next_packet;
use crate::alink::{DeviceRef, Login, LoginError, RegisterOptions, Registered, RegisteredUnlisted, Secret, Topic};
use crate::codec::DecodeError;
use crate::mqtt::{Limits, Link, Packet};
use crate::net::Disconnected;
use crate::net::client::{Address, ConnectError, Tls};
use crate::net::clock::Clock;

/// How long it may take in all.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Registration of a device by its product's secret, before its first login.
///
/// ```no_run
/// use onwire::alink::{DeviceRef, LoginOptions, Secret};
/// use onwire::net::alink::{Device, Registration};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let device = DeviceRef { product_key: "a1X", device_name: "SN1" };
/// let product_secret = Secret::from("f00d");
/// let registered = Registration::new("mqtt://127.0.0.1:1883", device, &product_secret).register().await?;
/// // Store it first: the platform tells it once.
/// let builder =
///     Device::with_secret("mqtt://127.0.0.1:1883", device, &registered.device_secret, LoginOptions::default())?;
/// # Ok(())
/// # }
/// ```
pub struct Registration<'a> {
    url: &'a str,
    device: DeviceRef<'a>,
    product_secret: &'a Secret,
    options: RegisterOptions,
    tls: Option<Tls>,
    timeout: Duration,
}

/// Why a device was not registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterFailure {
    /// A name or an option that cannot be sent.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// The platform could not be reached, or does not let the device in: a wrong signature, a device that it does not know, or
    /// one that is active already. Over MQTT it does not say which.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection ended before the answer came. The platform may have registered the device.
    #[error("the connection ended before the answer came: {0}")]
    Disconnected(#[source] Disconnected),
    /// No answer in time. The platform may have registered the device.
    #[error("the platform did not answer in time")]
    Timeout,
    /// The answer cannot be read.
    #[error("the answer cannot be read: {0}")]
    Unreadable(#[from] DecodeError),
    /// The answer is for another device.
    #[error("the answer is for another device")]
    OtherDevice,
    /// The platform refuses, and says why; over HTTPS only.
    #[cfg(feature = "alink-https")]
    #[error(transparent)]
    Refused(crate::alink::NotRegistered),
    /// The server answers with another status than 200, and nothing that a platform would say.
    #[cfg(feature = "alink-https")]
    #[error("the server answered with {0}")]
    Status(http::StatusCode),
    /// The exchange failed, or the answer is longer than 16 KiB. The platform may have registered the device.
    #[cfg(feature = "alink-https")]
    #[error("HTTP failed: {0}")]
    Http(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl<'a> Registration<'a> {
    /// At `mqtt://host[:port]` (port 1883), or `mqtts://` (8883). The cloud takes the latter only. With the feature `alink-https`
    /// also at `https://host[:port]` and `http://`, for devices that the platform knows by name; the cloud's hosts for that
    /// are [`register_host`](crate::alink::register_host)'s.
    pub fn new(url: &'a str, device: DeviceRef<'a>, product_secret: &'a Secret) -> Self {
        Self { url, device, product_secret, options: RegisterOptions::default(), tls: None, timeout: TIMEOUT }
    }

    /// How the request is signed, and for which instance.
    #[must_use]
    pub fn options(self, options: RegisterOptions) -> Self {
        Self { options, ..self }
    }

    /// Whom to trust, for `mqtts://` and `https://`.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(self, tls: crate::net::ClientTls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// How long it may take in all. Default 30 s.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Asks for the secret of a device that the platform knows by name. The cloud tells it once: store it before anything else.
    ///
    /// # Errors
    /// [`RegisterFailure`].
    pub async fn register(self) -> Result<Registered, RegisterFailure> {
        let registered = match self.over_https().await {
            Some(registered) => registered?,
            None => {
                let login = Login::register(self.device, self.product_secret, &random(), &self.options)?;
                Registered::parse(&self.answer(login, Topic::Register).await?)?
            }
        };
        self.is_for(&registered.product_key, &registered.device_name)?;
        Ok(registered)
    }

    /// Asks for a token for a device that the platform need not know; [`Device::with_token`](super::Device::with_token) connects
    /// with it. Store both the token and its client id.
    ///
    /// # Errors
    /// [`RegisterFailure`].
    pub async fn register_unlisted(self) -> Result<RegisteredUnlisted, RegisterFailure> {
        let login = Login::register_unlisted(self.device, self.product_secret, &random(), &self.options)?;
        let registered = RegisteredUnlisted::parse(&self.answer(login, Topic::RegisterUnlisted).await?)?;
        self.is_for(&registered.product_key, &registered.device_name)?;
        Ok(registered)
    }

    /// `None` if it is not to go there.
    #[cfg(feature = "alink-https")]
    async fn over_https(&self) -> Option<Result<Registered, RegisterFailure>> {
        if !self.url.starts_with("http") {
            return None;
        }
        let method = self.options.sign_method;
        let exchange = super::https::register(self.url, self.tls.as_ref(), self.device, self.product_secret, method);
        Some(tokio::time::timeout(self.timeout, exchange).await.unwrap_or(Err(RegisterFailure::Timeout)))
    }

    #[cfg(not(feature = "alink-https"))]
    #[allow(clippy::unused_async, reason = "as with it")]
    async fn over_https(&self) -> Option<Result<Registered, RegisterFailure>> {
        None
    }

    fn is_for(&self, product_key: &str, device_name: &str) -> Result<(), RegisterFailure> {
        let is = self.device == DeviceRef { product_key, device_name };
        if is { Ok(()) } else { Err(RegisterFailure::OtherDevice) }
    }

    async fn answer(&self, login: Login, topic: Topic<'_>) -> Result<String, RegisterFailure> {
        let answer = tokio::time::timeout(self.timeout, self.exchange(login, topic));
        answer.await.map_err(|_| RegisterFailure::Timeout)?
    }

    async fn exchange(&self, request: Login, expected: Topic<'_>) -> Result<String, RegisterFailure> {
        let address = Address::of(self.url, ("mqtt", 1883), ("mqtts", 8883))?;
        if address.is_tls() && self.tls.is_none() {
            return Err(ConnectError::NoTls.into());
        }
        let (clock, mut link) = (Clock::start(), Link::client(Limits::default()));
        let mut stream = login(&address, self.tls.as_ref(), &mut link, &request.into(), clock).await?;
        loop {
            let packet = next_packet(&mut stream, &mut link, clock).await.map_err(RegisterFailure::Disconnected)?;
            if let Packet::Message { topic, payload, .. } = packet
                && Topic::parse(&topic) == Some(expected)
            {
                // The platform sees that it arrived; if not, so it was.
                link.disconnect();
                let _ = super::socket::write_all(&mut stream, &mut link).await;
                return Ok(String::from_utf8_lossy(&payload).into_owned());
            }
        }
    }
}

impl fmt::Debug for Registration<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("device", &self.device).finish_non_exhaustive()
    }
}

/// What makes each signature another one; it is no secret.
pub(super) fn random() -> String {
    format!("{:016x}", RandomState::new().hash_one(()))
}
