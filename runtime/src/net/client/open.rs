//! From an address to a WebSocket: TCP, TLS, the opening handshake.

use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tokio::{TokioAdapter, client_async_with_config};
use async_tungstenite::tungstenite;
use async_tungstenite::tungstenite::client::IntoClientRequest;
use async_tungstenite::tungstenite::handshake::client::Request;
use async_tungstenite::tungstenite::protocol::WebSocketConfig;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_PROTOCOL};
use tokio::net::TcpStream;

use super::ConnectError;
use super::settings::{Settings, Tls};
use super::stream::Stream;
use super::url::Address;
use crate::net::MAX_MESSAGE;

/// An opened connection.
pub(super) type WebSocket = WebSocketStream<TokioAdapter<Stream>>;

pub(super) async fn open(settings: &Settings, subprotocols: &[&str]) -> Result<WebSocket, ConnectError> {
    let opened = tokio::time::timeout(settings.connect_timeout, shake_hands(settings, subprotocols));
    opened.await.map_err(|_| ConnectError::Timeout)?
}

async fn shake_hands(settings: &Settings, subprotocols: &[&str]) -> Result<WebSocket, ConnectError> {
    let request = request(settings, subprotocols)?;
    let stream = stream(&settings.address, settings.tls()).await?;
    let opened = client_async_with_config(request, stream, Some(web_socket_config())).await;
    let (stream, _) = opened.map_err(|error| match error {
        tungstenite::Error::Http(response) => {
            ConnectError::Status { status: response.status(), retry_after: retry_after(response.headers()) }
        }
        other => ConnectError::Refused(Box::new(other)),
    })?;
    Ok(stream)
}

fn request(settings: &Settings, subprotocols: &[&str]) -> Result<Request, ConnectError> {
    let uri = settings.address.uri();
    let request = uri.clone().into_client_request();
    let mut request = request.map_err(|_| ConnectError::BadUrl(uri.to_string()))?;
    let headers = request.headers_mut();
    // Only the first: the others are spellings of it that servers accept.
    if let Some(name) = subprotocols.first().and_then(|name| HeaderValue::from_str(name).ok()) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, name);
    }
    if let Some(authorization) = &settings.authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    Ok(request)
}

/// TCP, and TLS where the address says so.
pub(in crate::net) async fn stream(address: &Address, tls: Option<&Tls>) -> Result<Stream, ConnectError> {
    let host = address.host_and_port();
    let unreachable = |source| ConnectError::Unreachable { host: host.to_owned(), source };
    let stream = TcpStream::connect(host).await.map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    over_tls(address, tls, stream).await
}

#[cfg(feature = "rustls")]
async fn over_tls(address: &Address, tls: Option<&Tls>, stream: TcpStream) -> Result<Stream, ConnectError> {
    if !address.is_tls() {
        return Ok(Stream::Plain(stream));
    }
    let tls = tls.ok_or(ConnectError::NoTls)?;
    let failed = |source| ConnectError::Tls { host: address.host_and_port().to_owned(), source };
    Ok(Stream::Tls(Box::new(tls.connect(address.host(), stream).await.map_err(failed)?)))
}

#[cfg(not(feature = "rustls"))]
async fn over_tls(address: &Address, _: Option<&Tls>, stream: TcpStream) -> Result<Stream, ConnectError> {
    if address.is_tls() { Err(ConnectError::NoTls) } else { Ok(stream) }
}

/// Small buffers: tungstenite's own defaults cost 133 KiB for each connection.
fn web_socket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MAX_MESSAGE)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}

/// A number of seconds; see [`ConnectError::Status`].
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
