//! What it says, and that it ends with an error, when there is no session or the connection breaks.

use std::process::Output;
use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tokio::{TokioAdapter, accept_hdr_async};
use async_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use async_tungstenite::tungstenite::http::HeaderValue;
use async_tungstenite::tungstenite::protocol::CloseFrame;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::{Bytes, Message};
use futures_util::StreamExt;
use onwire::net::{Denied, Login, Server};
use onwire::ocpp::v16::AuthorizationStatus;
use tokio::net::{TcpListener, TcpStream};

use crate::charge_point;
use crate::handlers::{CentralSystem, Handlers};

type Socket = WebSocketStream<TokioAdapter<TcpStream>>;

async fn run(arguments: &[&str]) -> Output {
    let mut command = charge_point(arguments);
    let output = command.kill_on_drop(true).output();
    tokio::time::timeout(Duration::from_secs(60), output).await.expect("an end in time").unwrap()
}

/// It ends with the status 1, and this is the one line of standard error.
fn assert_fails(output: &Output, reason: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.trim_end()), (Some(1), reason), "{output:?}");
}

/// A central system that greets with a subprotocol, and then does what the test wants.
async fn meets(subprotocol: Option<&'static str>, arguments: &[&str], then: impl AsyncFnOnce(&mut Socket)) -> Output {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ocpp/CP1", listener.local_addr().unwrap());
    let central_system = async {
        let (stream, _) = listener.accept().await.unwrap();
        #[expect(clippy::result_large_err, reason = "tungstenite's own")]
        let greeting = |_: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
            if let Some(subprotocol) = subprotocol {
                response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(subprotocol));
            }
            Ok(response)
        };
        let mut socket = accept_hdr_async(stream, greeting).await.unwrap();
        then(&mut socket).await;
    };
    let arguments = [&[url.as_str()], arguments].concat();
    let (output, ()) = tokio::join!(run(&arguments), central_system);
    output
}

/// Reads the BootNotification, which nobody will answer.
async fn boot(socket: &mut Socket) {
    let message = socket.next().await.expect("a message").unwrap();
    let text = message.to_text().unwrap();
    assert!(text.starts_with("[2,\"1\",\"BootNotification\",{"), "{text}");
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert_fails(&run(&[&format!("ws://{address}/ocpp/CP1")]).await, "cannot connect: Unable to connect");
}

#[tokio::test]
async fn the_handshake_is_refused() {
    let (_central_system, url) = CentralSystem::serve(AuthorizationStatus::Accepted).await;
    let elsewhere = url.replace("/ocpp/", "/elsewhere/");
    assert_fails(&run(&[&elsewhere]).await, "cannot connect: the central system answered with HTTP status 404");

    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let server = server.authenticate(async |_: Login| Err::<(), _>(Denied::BadCredentials));
    let url = format!("ws://{}/ocpp/CP1", server.local_addr().unwrap());
    let (handlers, _seen) = Handlers::new(AuthorizationStatus::Accepted);
    tokio::spawn(server.serve(handlers));
    assert_fails(&run(&[&url]).await, "cannot connect: the central system answered with HTTP status 401");
}

#[tokio::test]
async fn the_handshake_is_not_answered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ocpp/CP1", listener.local_addr().unwrap());
    let arguments = [url.as_str(), "--timeout", "1"];
    let begin = tokio::time::Instant::now();
    // It is held until the end of the program.
    let (output, _silent) = tokio::join!(run(&arguments), listener.accept());
    assert_fails(&output, "cannot connect: the central system does not answer the handshake");
    // libwebsockets would wait for half a minute more.
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());

    let hangs_up = async { drop(listener.accept().await.unwrap()) };
    let (output, ()) = tokio::join!(run(&arguments), hangs_up);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("cannot connect: ") && output.status.code() == Some(1), "{output:?}");
}

#[tokio::test]
async fn no_subprotocol_is_agreed() {
    for offered in [None, Some("ocpp2.0.1")] {
        let output = meets(offered, &[], async |_| {}).await;
        assert_fails(&output, "the central system does not speak the subprotocol: ocpp1.6");
    }
}

#[tokio::test]
async fn the_connection_is_lost() {
    let output = meets(Some("ocpp1.6"), &[], boot).await;
    assert_fails(&output, "the connection is lost");
}

#[tokio::test]
async fn the_connection_is_closed_before_time() {
    let output = meets(Some("ocpp1.6"), &["--stay"], async |socket| {
        boot(socket).await;
        socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() })).await.unwrap();
        while socket.next().await.is_some() {}
    });
    assert_fails(&output.await, "the central system closed the connection before time, with status: 1000");
}

#[tokio::test]
async fn messages_that_are_not_taken() {
    for (message, code, reason) in [
        (Message::binary(Bytes::from_static(b"[]")), 1003, "the central system sent a binary message"),
        (Message::text("x".repeat(70_000)), 1009, "the central system sent a message that is too long"),
    ] {
        let output = meets(Some("ocpp1.6"), &[], async |socket| {
            boot(socket).await;
            socket.send(message).await.unwrap();
            let mut told = None;
            while let Some(Ok(message)) = socket.next().await {
                if let Message::Close(Some(close)) = message {
                    told = Some(u16::from(close.code));
                }
            }
            assert_eq!(told, Some(code), "{reason}");
        });
        assert_fails(&output.await, reason);
    }
}

#[tokio::test]
async fn a_call_that_is_not_answered_in_time() {
    let mut waited = Duration::ZERO;
    let output = meets(Some("ocpp1.6"), &["--timeout", "1"], async |socket| {
        boot(socket).await;
        let begin = tokio::time::Instant::now();
        // The next BootNotification: a second until the time is over, and ten until it is tried again.
        let message = socket.next().await.expect("a message").unwrap();
        waited = begin.elapsed();
        assert!(message.to_text().unwrap().starts_with("[2,\"2\",\"BootNotification\",{"), "{message}");
    });
    let output = output.await;
    assert_fails(&output, "the connection is lost");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "connected\nBootNotification was not answered in time\n");
    assert!(waited >= Duration::from_secs(10), "{waited:?}");
}

#[tokio::test]
async fn a_tag_that_may_not_charge() {
    let (mut central_system, url) = CentralSystem::serve(AuthorizationStatus::Blocked).await;
    let output = run(&[&url, "--id-tag", "NOBODY"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.ends_with("the central system does not accept the tag \"NOBODY\"\n"), "{said}");
    for step in ["boot Example C 99", "status 0 Available", "status 1 Available", "authorize NOBODY"] {
        assert_eq!(central_system.next().await, step);
    }
}

#[tokio::test]
async fn mistakes_on_the_command_line() {
    let long = "x".repeat(21);
    for arguments in [
        &[][..],
        &["ws://127.0.0.1/ocpp/CP1", "--samples", "0"],
        &["ws://127.0.0.1/ocpp/CP1", "--samples"],
        &["ws://127.0.0.1/ocpp/CP1", "--dance"],
        &["ws://127.0.0.1/ocpp/CP1", "--id-tag", &long],
    ] {
        assert_eq!(run(arguments).await.status.code(), Some(2), "{arguments:?}");
    }
    assert_fails(&run(&["wss://127.0.0.1/ocpp/CP1"]).await, "the address is not like ws://host:port/ocpp/CP1");
}
