//! What the others are compared to: async-tungstenite with small buffers, and no more of OCPP than the message's id.

use async_tungstenite::tokio::{TokioAdapter, accept_hdr_async_with_config};
use async_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use async_tungstenite::tungstenite::http::HeaderValue;
use async_tungstenite::tungstenite::protocol::WebSocketConfig;
use async_tungstenite::tungstenite::{Error, Message};
use async_tungstenite::{WebSocketStream, tungstenite};
use futures_util::StreamExt;
use onwire_load::serving::{Outcome, announce, run};
use tokio::net::{TcpListener, TcpStream};

/// To any CALL; right for a Heartbeat only, but nobody looks.
const PAYLOAD: &str = r#"{"currentTime":"2025-06-18T07:12:44.257Z"}"#;

fn main() -> Outcome {
    run(async |listen| {
        let listener = TcpListener::bind(listen).await?;
        announce("ws", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            // A connection that fails ends alone; the generator counts it.
            tokio::spawn(async move { echo(stream).await.ok() });
        }
    })
}

async fn echo(stream: TcpStream) -> tungstenite::Result<()> {
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_write_buffer_size(1 << 20)
        .max_message_size(Some(1 << 20))
        .max_frame_size(Some(1 << 20));
    let mut socket: WebSocketStream<TokioAdapter<TcpStream>> =
        accept_hdr_async_with_config(stream, subprotocol, Some(config)).await?;
    while let Some(message) = socket.next().await {
        if let Message::Text(text) = message? {
            let answer = answer(&text).ok_or(Error::Utf8(String::new()))?;
            socket.send(Message::text(answer)).await?;
        }
    }
    Ok(())
}

#[expect(clippy::result_large_err, reason = "tungstenite's own")]
fn subprotocol(_request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("ocpp1.6"));
    Ok(response)
}

/// None for what is no CALL.
fn answer(text: &str) -> Option<String> {
    let (id, _) = text.strip_prefix("[2,\"")?.split_once('"')?;
    Some(["[3,\"", id, "\",", PAYLOAD, "]"].concat())
}
