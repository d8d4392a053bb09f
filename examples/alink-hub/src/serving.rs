//! Where HTTP is served: the page, the REST interface, the files of devices.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use onwire::net::AddressCap;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// How many connections there may be; further ones wait in the system's backlog.
const CONNECTIONS: usize = 1024;

/// How long a request's head may take, and a connection may be idle between requests.
const HEAD: Duration = Duration::from_secs(15);

/// How long to wait after the system had no room for a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `end` is ready, then completes the requests that are under way.
pub(crate) async fn serve(listener: TcpListener, router: Router, per_address: usize, end: impl Future<Output = ()>) {
    let (places, at_once) = (Arc::new(Semaphore::new(CONNECTIONS)), AddressCap::new(per_address));
    let mut server = http1::Builder::new();
    // The C SDK of the vendor knows `Content-Length`, and not `content-length`.
    server.title_case_headers(true).timer(TokioTimer::new()).header_read_timeout(HEAD);
    let graceful = GracefulShutdown::new();
    let mut end = pin!(end);
    loop {
        let accept = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = accept => accepted,
            () = &mut end => break,
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most of the time: the next connection to end makes room.
                tracing::error!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let present = match at_once.enter(remote.ip()) {
            Ok(present) => present,
            Err(crowded) => {
                if crowded.is_first {
                    tracing::warn!(%remote, "let go, and others from there: too many HTTP connections at once");
                }
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone().layer(Extension(ConnectInfo::<SocketAddr>(remote))));
        let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            let _until_it_ends = (place, present);
            if let Err(error) = connection.await {
                tracing::debug!(%remote, %error, "an HTTP connection failed");
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn half_a_request_is_let_go_and_a_graceful_end_is_not_held_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ends) = oneshot::channel::<()>();
        let serving = tokio::spawn(serve(listener, Router::new(), 2, async { drop(ends.await) }));
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").await.unwrap();
        let started = tokio::time::Instant::now();
        assert_eq!(half.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(started.elapsed().as_secs(), HEAD.as_secs());
        let _idle = TcpStream::connect(address).await.unwrap();
        end.send(()).unwrap();
        tokio::time::timeout(HEAD * 2, serving).await.unwrap().unwrap();
    }
}
