//! The HTTP front of a [`Server`](super::Server): from an accepted connection to an upgraded stream, or to answers of
//! somebody else's HTTP service on the same port.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::{Body, Incoming};
use hyper::service::{Service, service_fn};
use hyper::upgrade::{OnUpgrade, Parts, Upgraded};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::accept::Place;
use super::already_read::AlreadyRead;
use super::handshake::{is_for_charge_points, logged, offered, wants_websocket};
use super::{
    AddressCap, Authenticate, Endpoint, Handshake, Origin, Present, Refusal, ServerConfig, Transport, Versions,
};

/// An HTTP service beside the charge points; see [`Server::http`](super::Server::http). Implemented for hyper's services.
pub trait Http: Send + Sync + 'static {
    /// What answers are made of.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;

    /// Answers a request.
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Response<Self::Body>> + Send;
}

impl<S, B> Http for S
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send> + Send + Sync + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    type Body = B;

    async fn answer(&self, request: Request<Incoming>) -> Response<B> {
        match self.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// Nothing beside the charge points: 404.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHttp;

impl Service<Request<Incoming>> for NoHttp {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn call(&self, _: Request<Incoming>) -> Self::Future {
        ready(Ok(Refusal::UnknownPath.response().map(Full::from)))
    }
}

/// A stream to be served as a connection.
pub(super) type Served<S> = (AlreadyRead<S>, Handshake);

/// What every accepted connection needs.
pub(super) struct Front<R, A, T, H> {
    endpoint: Endpoint<R, A>,
    transport: T,
    http: H,
    /// Those beside the charge points.
    http_connections: Arc<Semaphore>,
    http_at_once: AddressCap,
    prefixes: Vec<String>,
    timeout: Duration,
    /// Turns `true` when the server ends.
    ends: watch::Receiver<bool>,
}

/// What a connection has come to.
#[derive(Default)]
struct Progress {
    /// A place among the handshakes, until it turns out to be something else.
    handshake: Option<Place>,
    /// A place among the HTTP connections, and one among those of its address.
    http: Option<(OwnedSemaphorePermit, Present)>,
    /// The stream it will be, and the handshake that was answered.
    upgrade: Option<(OnUpgrade, Handshake)>,
}

type Answer<H> = Response<Either<Full<Bytes>, <H as Http>::Body>>;

impl<R: Versions, A: Authenticate, T: Transport, H: Http> Front<R, A, T, H> {
    pub(super) fn new(
        endpoint: Endpoint<R, A>,
        transport: T,
        http: H,
        config: &ServerConfig,
        ends: watch::Receiver<bool>,
    ) -> Self {
        Self {
            endpoint,
            transport,
            http,
            http_connections: Arc::new(Semaphore::new(config.max_http_connections.min(Semaphore::MAX_PERMITS))),
            http_at_once: AddressCap::new(config.max_http_connections_per_address),
            prefixes: config.handshake.prefixes.clone(),
            timeout: config.handshake_timeout,
            ends,
        }
    }

    pub(super) fn endpoint(&self) -> &Endpoint<R, A> {
        &self.endpoint
    }

    /// From TCP to the upgraded stream; `None` if there is no connection to be served.
    pub(super) async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        remote: SocketAddr,
        place: Place,
    ) -> Option<Served<T::Stream>> {
        let mut deadline = pin!(tokio::time::sleep(self.timeout));
        let mut ends = self.ends.clone();
        let stream = tokio::select! {
            accepted = self.transport.accept(stream) => accepted
                .inspect_err(|error| tracing::debug!(%remote, %error, "the transport's handshake failed"))
                .ok()?,
            () = &mut deadline => return too_long(remote),
            _ = ends.wait_for(|ends| *ends) => return None,
        };
        let certificate = T::client_certificate(&stream);
        let origin = Origin { remote: Some(remote), certificate, is_encrypted: T::IS_ENCRYPTED };
        let progress = Shared::new(Progress { handshake: Some(place), ..Progress::default() });
        let service = service_fn(|request| {
            let answer = self.answer(request, origin.clone(), &progress);
            async { Ok::<_, Infallible>(answer.await) }
        });
        let http = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.timeout)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut http = pin!(http);
        let (mut timed, mut ending) = (true, false);
        let served = loop {
            tokio::select! {
                served = &mut http => break served,
                () = &mut deadline, if timed => {
                    if progress.is_in_handshake() {
                        return too_long(remote);
                    }
                    timed = false;
                }
                _ = ends.wait_for(|ends| *ends), if !ending => {
                    if progress.is_in_handshake() {
                        return None;
                    }
                    http.as_mut().graceful_shutdown();
                    ending = true;
                }
            }
        };
        if let Err(error) = served {
            tracing::debug!(%remote, %error, "a request failed");
            return None;
        }
        let (stream, handshake) = progress.with(|progress| progress.upgrade.take())?;
        let upgraded = stream.await.inspect_err(|error| tracing::debug!(%remote, %error, "an upgrade failed")).ok()?;
        Some((stream_of(upgraded)?, handshake))
    }

    async fn answer(&self, mut request: Request<Incoming>, origin: Origin, progress: &Shared) -> Answer<H> {
        let wants_websocket = wants_websocket(request.headers());
        if !is_for_charge_points(request.uri(), wants_websocket, &self.prefixes) {
            let (uri, remote) = (wants_websocket.then(|| request.uri().clone()), origin.remote);
            let answer = self.beside(request, origin, progress).await;
            if let Some(uri) = uri.filter(|_| answer.status() == StatusCode::NOT_FOUND) {
                tracing::info!(path = ?logged(uri.path()), ?remote, refusal = %Refusal::UnknownPath, "refused a handshake");
            }
            return answer;
        }
        let stream = hyper::upgrade::on(&mut request);
        let (head, _) = request.into_parts();
        let remote = origin.remote;
        let handshake = tokio::time::timeout(self.timeout, self.endpoint.handshake(&head, origin)).await;
        match handshake.unwrap_or(Err(Refusal::Denied(super::Denied::Unavailable(self.timeout)))) {
            Ok(handshake) => {
                let response = handshake.response().map(|()| Either::Left(Full::default()));
                progress.with(|progress| progress.upgrade = Some((stream, handshake)));
                response
            }
            Err(refusal) => {
                let (path, remote) = (logged(head.uri.path()), remote);
                match &refusal {
                    // Whoever decides about clients tells of them.
                    Refusal::Denied(_) => tracing::debug!(?path, ?remote, %refusal, "refused a handshake"),
                    Refusal::NoSubprotocol => {
                        let offered = offered(&head.headers);
                        tracing::info!(?path, ?remote, %refusal, ?offered, "refused a handshake");
                    }
                    _ => tracing::info!(?path, ?remote, %refusal, "refused a handshake"),
                }
                // A second request on this connection would count as the same handshake.
                closing(refusal.response().map(|body| Either::Left(body.into())))
            }
        }
    }

    fn http_place(&self, origin: &Origin) -> Option<(OwnedSemaphorePermit, Present)> {
        let of_address = self.http_at_once.enter(origin.remote?.ip()).ok()?;
        Some((Arc::clone(&self.http_connections).try_acquire_owned().ok()?, of_address))
    }

    /// A request that is not for the charge points' side.
    async fn beside(&self, mut request: Request<Incoming>, origin: Origin, progress: &Shared) -> Answer<H> {
        let has_place = progress.with(|progress| {
            if progress.http.is_none() {
                progress.http = self.http_place(&origin);
                progress.handshake = None;
            }
            progress.http.is_some()
        });
        if !has_place {
            let mut response = Response::new(Either::Left("too many connections".into()));
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            return closing(response);
        }
        request.extensions_mut().insert(origin);
        self.http.answer(request).await.map(Either::Right)
    }
}

fn closing<B>(mut response: Response<B>) -> Response<B> {
    response.headers_mut().append(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn too_long<S>(remote: SocketAddr) -> Option<Served<S>> {
    tracing::debug!(%remote, "a handshake took too long");
    None
}

/// The progress of one connection, for its requests.
struct Shared(Mutex<Progress>);

impl Shared {
    fn new(progress: Progress) -> Self {
        Self(Mutex::new(progress))
    }

    fn with<O>(&self, access: impl FnOnce(&mut Progress) -> O) -> O {
        access(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_in_handshake(&self) -> bool {
        self.with(|progress| progress.http.is_none())
    }
}

/// The stream itself, without what hyper needed around it, and what hyper has read beyond the request.
fn stream_of<S: Send + Unpin + 'static>(upgraded: Upgraded) -> Option<AlreadyRead<S>>
where
    TokioIo<S>: hyper::rt::Read + hyper::rt::Write,
{
    let Parts { io, read_buf, .. } = upgraded.downcast::<TokioIo<S>>().ok()?;
    Some(AlreadyRead::new(&read_buf, io.into_inner()))
}

impl<R, A, T, H> fmt::Debug for Front<R, A, T, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").field("prefixes", &self.prefixes).finish_non_exhaustive()
    }
}
