//! OCPP-J frames: a connection without a transport, with the clock of the trace.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use onwire::ocpp::v16::*;
use onwire::session::Config;
use onwire::types::{DateTime, RawJson};
use onwire::{ActionEntry, CallError, CallFailure, CallText, Connection, ErrorCode, Instant, Peer, Router};
use onwire_tests::stream::{self, AskRequest, AskResponse, BeatRequest};
use serde::Serialize;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::trace::{Input, World};

/// The time of every handler's clock.
pub(crate) const NOON: DateTime = DateTime::from_unix_millis(1_700_000_000_000);

/// Shows a message that a handler received.
pub(crate) fn shown(action: &str, request: &impl Serialize) -> String {
    format!("{action} {}", serde_json::to_string(request).unwrap())
}

/// Shows the outcome of a call. The words are the trace's own, so that an error message may be reworded.
pub(crate) fn outcome<T>(outcome: Result<T, CallFailure>, show: impl FnOnce(T) -> String) -> String {
    match outcome {
        Ok(answer) => show(answer),
        Err(CallFailure::Refused(error)) => {
            let mut text = format!("refused {:?} {:?}", error.code, error.description);
            if let Some(details) = error.details {
                write!(text, " {}", details.as_str()).unwrap();
            }
            text
        }
        Err(CallFailure::InvalidResponse(error)) => format!("invalid at {:?}", error.pointer),
        Err(CallFailure::Unsendable(error)) => format!("unsendable at {:?}", error.pointer),
        Err(other) => format!("failed {other:?}"),
    }
}

/// Begins a call: `call ACTION JSON`, or `raw ACTION JSON` without checking the payload.
pub(crate) fn call(peer: &Peer, actions: &[ActionEntry], text: &str) -> (String, CallText) {
    let mut words = text.splitn(3, ' ');
    let mut word = || words.next().expect("three words");
    let (how, action, payload) = (word(), word(), word());
    let entry = actions.iter().find(|entry| entry.name == action);
    let entry = entry.unwrap_or_else(|| panic!("{action} is not an action"));
    let call = match how {
        "call" => peer.call_text(entry, payload),
        "raw" => peer.call_unjudged(entry, &RawJson::new(payload).unwrap()),
        _ => panic!("unknown instruction: {text}"),
    };
    (action.to_owned(), call)
}

/// A central system that accepts most requests.
pub(crate) struct Central {
    seen: UnboundedSender<String>,
    transactions: AtomicI64,
}

impl Central {
    pub(crate) fn new(seen: UnboundedSender<String>) -> Self {
        Self { seen, transactions: AtomicI64::new(0) }
    }

    fn saw(&self, action: &str, request: &impl Serialize) {
        let _ = self.seen.send(shown(action, request));
    }

    fn info(tag: &str) -> Result<IdTagInfo, CallError> {
        let status = match tag {
            "BLOCKED" => AuthorizationStatus::Blocked,
            "FAIL" => {
                let error = CallError::new(ErrorCode::InternalError, "the \"tag store\" is away");
                return Err(CallError { details: Some(RawJson::new(r#"{"store":1}"#).unwrap()), ..error });
            }
            _ => AuthorizationStatus::Accepted,
        };
        Ok(IdTagInfo::new(status))
    }
}

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Central {
    #[on(BootNotification)]
    fn boot(&self, request: BootNotificationRequest) -> BootNotificationResponse {
        self.saw("BootNotification", &request);
        BootNotificationResponse::new(RegistrationStatus::Accepted, NOON, 300)
    }

    #[after(BootNotification)]
    async fn booted(&self, peer: &Peer) {
        let keys = peer.call(GetConfigurationRequest { key: Some(vec!["HeartbeatInterval".into()]) }).await;
        let _ = self.seen.send(format!("GetConfiguration {}", outcome(keys, |keys| shown("answered", &keys))));
    }

    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        HeartbeatResponse::new(NOON)
    }

    #[on(Authorize)]
    async fn authorize(&self, request: AuthorizeRequest) -> Result<AuthorizeResponse, CallError> {
        self.saw("Authorize", &request);
        Ok(AuthorizeResponse::new(Self::info(&request.id_tag)?))
    }

    #[on(StartTransaction)]
    async fn start(&self, request: StartTransactionRequest) -> Result<StartTransactionResponse, CallError> {
        self.saw("StartTransaction", &request);
        let info = Self::info(&request.id_tag)?;
        Ok(StartTransactionResponse::new(info, self.transactions.fetch_add(1, Ordering::Relaxed) + 1))
    }

    #[on(MeterValues)]
    fn meter_values(&self, request: MeterValuesRequest) -> MeterValuesResponse {
        self.saw("MeterValues", &request);
        MeterValuesResponse::new()
    }

    #[on(StopTransaction)]
    fn stop(&self, request: StopTransactionRequest) -> StopTransactionResponse {
        self.saw("StopTransaction", &request);
        StopTransactionResponse::new()
    }

    #[on(StatusNotification)]
    fn status(&self, request: StatusNotificationRequest) -> StatusNotificationResponse {
        self.saw("StatusNotification", &request);
        StatusNotificationResponse::new()
    }

    #[on(DataTransfer)]
    fn data(&self, request: DataTransferRequest) -> DataTransferResponse {
        self.saw("DataTransfer", &request);
        DataTransferResponse::new(DataTransferStatus::UnknownVendorId)
    }
}

/// A charge point that accepts most requests.
struct ChargePoint(UnboundedSender<String>);

#[onwire::handlers(ocpp::v16, role = ChargePoint)]
impl ChargePoint {
    #[on(RemoteStartTransaction)]
    fn start(&self, request: RemoteStartTransactionRequest) -> RemoteStartTransactionResponse {
        self.0.send(shown("RemoteStartTransaction", &request)).unwrap();
        RemoteStartTransactionResponse::new(RemoteStartStopStatus::Accepted)
    }

    #[after(RemoteStartTransaction)]
    async fn started(&self, peer: &Peer, request: RemoteStartTransactionRequest) {
        let answer = peer.call(AuthorizeRequest::new(request.id_tag)).await;
        self.0.send(format!("Authorize {}", outcome(answer, |answer| shown("answered", &answer)))).unwrap();
    }

    #[on(ChangeConfiguration)]
    fn change(&self, request: ChangeConfigurationRequest) -> Result<ChangeConfigurationResponse, CallError> {
        self.0.send(shown("ChangeConfiguration", &request)).unwrap();
        match &*request.key {
            "Broken" => Err(CallError::new(ErrorCode::Other("FlashWorn".into()), "it cannot be kept")),
            _ => Ok(ChangeConfigurationResponse::new(ConfigurationStatus::RebootRequired)),
        }
    }

    #[on(Reset)]
    fn reset(&self, request: ResetRequest) -> ResetResponse {
        self.0.send(shown("Reset", &request)).unwrap();
        ResetResponse::new(ResetStatus::Accepted)
    }
}

/// Sends messages that are never answered.
struct Source;

#[onwire::handlers(onwire_tests::stream, role = Source)]
impl Source {
    #[on(Ask)]
    fn ask(&self, _: AskRequest) -> AskResponse {
        AskResponse::new(7)
    }
}

/// Receives messages that are never answered.
struct Sink(UnboundedSender<String>);

#[onwire::handlers(onwire_tests::stream, role = Sink)]
impl Sink {
    #[on(Beat)]
    fn beat(&self, request: BeatRequest) {
        self.0.send(shown("Beat", &request)).unwrap();
    }
}

/// One side of a connection.
pub(crate) struct SessionWorld {
    connection: &'static Connection,
    handlers: Pin<Box<dyn Future<Output = ()>>>,
    actions: &'static [ActionEntry],
    now: Instant,
    calls: Vec<(String, CallText)>,
    sent: VecDeque<String>,
    seen: UnboundedReceiver<String>,
    saw: UnboundedSender<String>,
}

impl SessionWorld {
    pub(crate) fn central_system() -> Self {
        Self::new(ACTIONS, Central::new)
    }

    pub(crate) fn charge_point() -> Self {
        Self::new(ACTIONS, ChargePoint)
    }

    pub(crate) fn source() -> Self {
        Self::new(stream::ACTIONS, |_| Source)
    }

    pub(crate) fn sink() -> Self {
        Self::new(stream::ACTIONS, Sink)
    }

    fn new<R: Router + 'static>(
        actions: &'static [ActionEntry],
        router: impl FnOnce(UnboundedSender<String>) -> R,
    ) -> Self {
        let (saw, seen) = mpsc::unbounded_channel();
        // Leaked: both live as long as the test.
        let router: &'static R = Box::leak(Box::new(router(saw.clone())));
        let connection: &'static Connection =
            Box::leak(Box::new(Connection::new("CP1", R::DIALECT, Config::default())));
        Self {
            connection,
            handlers: Box::pin(connection.serve(router)),
            actions,
            now: Instant::default(),
            calls: Vec::new(),
            sent: VecDeque::new(),
            seen,
            saw,
        }
    }

    /// Polls handlers and calls until there is nothing more to send.
    fn run(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            let _ = self.handlers.as_mut().poll(&mut context);
            self.calls.retain_mut(|(action, call)| match Pin::new(call).poll(&mut context) {
                Poll::Pending => true,
                Poll::Ready(answer) => {
                    self.saw
                        .send(format!("{action} {}", outcome(answer, |answer| format!("answered {answer}"))))
                        .unwrap();
                    false
                }
            });
            match self.connection.poll_transmit(self.now) {
                Some(frame) => self.sent.push_back(frame),
                None => return,
            }
        }
    }
}

impl World for SessionWorld {
    async fn act(&mut self, input: Input, _more: bool) {
        match input {
            Input::Sent(frame) => drop(self.connection.receive(&frame, self.now)),
            Input::At(millis) => {
                self.now = Instant::from_millis(millis);
                self.connection.handle_timeout(self.now);
            }
            Input::Done(what) if what == "end" => self.connection.end(CallFailure::Disconnected),
            Input::Done(what) => match what.strip_prefix("send Beat ") {
                Some(number) => {
                    self.connection.peer().send(BeatRequest::new(number.parse().unwrap())).unwrap();
                }
                None => self.calls.push(call(self.connection.peer(), self.actions, &what)),
            },
        }
        self.run();
    }

    async fn sent(&mut self, _patience: Duration) -> Option<String> {
        self.sent.pop_front()
    }

    async fn seen(&mut self, _patience: Duration) -> Option<String> {
        self.seen.try_recv().ok()
    }
}
