//! The handle of a connected peer: who it is, and calls to it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::future::{Future, poll_fn};
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use crate::codec::{self, DecodeError, Quirks};
use crate::core::action::{Request, Unanswered};
use crate::core::dialect::Dialect;
use crate::core::error::CallFailure;
use crate::core::frame::{CallFrame, Reply};
use crate::core::session::{CallToken, Outcome, Session, Timer, Transmit};
use crate::core::shared::Shared;
use crate::core::table::{ActionEntry, PayloadType};
use crate::core::time::Instant;
use crate::types::RawJson;

/// What a connection's handles share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) session: Session,
    pub(crate) afters: VecDeque<(CallFrame, Reply)>,
    /// Of the `#[after]` handler that runs.
    pub(crate) after: Option<Timer>,
    pub(crate) noticed: Quirks,
    /// Woken when there is something to send.
    pub(crate) transport: WakerSlot,
    /// Woken when there is room to read.
    pub(crate) input: WakerSlot,
    /// Woken when a time-out comes nearer.
    pub(crate) deadline: WakerSlot,
    /// Woken when a CALL came in, and when the one that is handled was given up.
    pub(crate) on_worker: WakerSlot,
    /// Woken when an `#[after]` is due, and when the one that runs was given up.
    pub(crate) after_worker: WakerSlot,
    /// Woken when there is room for another `#[after]`.
    pub(crate) after_room: WakerSlot,
    /// Woken when the connection ends, and when what had come before the end is handled.
    pub(crate) end: WakerSlot,
    /// Who waits for which call.
    callers: Vec<Caller>,
}

/// Who waits for a call.
#[derive(Debug)]
struct Caller {
    token: CallToken,
    waker: Option<Waker>,
    /// Woken when the call is sent, too.
    awaits_sending: bool,
}

/// At most one task that waits.
#[derive(Debug, Default)]
pub(crate) struct WakerSlot(Option<Waker>);

impl WakerSlot {
    pub(crate) fn register(&mut self, context: &Context<'_>) {
        match &mut self.0 {
            Some(waker) => waker.clone_from(context.waker()),
            None => self.0 = Some(context.waker().clone()),
        }
    }

    /// Taken out so that it is woken without the lock.
    pub(crate) fn take(&mut self) -> Option<Waker> {
        self.0.take()
    }
}

impl State {
    pub(crate) fn new(session: Session) -> Self {
        Self {
            session,
            afters: VecDeque::new(),
            after: None,
            noticed: Quirks::NONE,
            transport: WakerSlot::default(),
            input: WakerSlot::default(),
            deadline: WakerSlot::default(),
            on_worker: WakerSlot::default(),
            after_worker: WakerSlot::default(),
            after_room: WakerSlot::default(),
            end: WakerSlot::default(),
            callers: Vec::new(),
        }
    }

    /// The next frame to be sent, and who is to be woken: a sent call has a time-out, and a sent answer makes room.
    pub(crate) fn poll_transmit(&mut self, now: Instant) -> (Option<Transmit>, [Option<Waker>; 4]) {
        let known = self.poll_deadline();
        let Some(frame) = self.session.poll_transmit_for(now) else { return (None, [None, None, None, None]) };
        let is_earlier = self.poll_deadline().is_some_and(|deadline| known.is_none_or(|known| deadline < known));
        let deadline = if is_earlier { self.deadline.take() } else { None };
        let on_worker = if self.session.has_calls() { self.on_worker.take() } else { None };
        let session = &self.session;
        let is_sent = |caller: &&mut Caller| caller.awaits_sending && session.was_sent(caller.token).is_some();
        let sender = self.callers.iter_mut().find(is_sent).and_then(|caller| {
            caller.awaits_sending = false;
            caller.waker.take()
        });
        (Some(frame), [self.input.take(), on_worker, deadline, sender])
    }

    /// What ends first: a call of ours, or a handler's time.
    pub(crate) fn poll_deadline(&self) -> Option<Instant> {
        let after = self.after.as_ref().map(Timer::deadline);
        self.session.poll_deadline().into_iter().chain(after).min()
    }

    /// Who waits for the end of the handlers of a connection that has ended, if it has come.
    pub(crate) fn take_end_if_idle(&mut self) -> Option<Waker> {
        if self.session.ended().is_some() && self.session.is_idle() { self.end.take() } else { None }
    }

    pub(crate) fn caller(&mut self, token: CallToken) -> Option<Waker> {
        self.callers.iter_mut().find(|caller| caller.token == token).and_then(|caller| caller.waker.take())
    }

    /// Notes who is to be woken for a call.
    fn register(&mut self, token: CallToken, context: &Context<'_>, awaits_sending: bool) {
        if let Some(caller) = self.callers.iter_mut().find(|caller| caller.token == token) {
            caller.waker = Some(context.waker().clone());
            caller.awaits_sending = awaits_sending;
        }
    }

    /// Nobody waits for that call any more.
    fn leave(&mut self, token: CallToken) {
        self.callers.retain(|caller| caller.token != token);
    }

    pub(crate) fn all_wakers(&mut self) -> Vec<Waker> {
        let callers = self.callers.iter_mut().filter_map(|caller| caller.waker.take());
        let slots = [
            &mut self.transport,
            &mut self.input,
            &mut self.deadline,
            &mut self.on_worker,
            &mut self.after_worker,
            &mut self.after_room,
            &mut self.end,
        ];
        callers.chain(slots.into_iter().filter_map(WakerSlot::take)).collect()
    }
}

/// The other side of a connection. Clones are handles of the same connection; they stay valid, and fail cleanly, after
/// it has ended.
#[derive(Clone)]
pub struct Peer {
    identity: Identity,
    pub(crate) state: Shared<State>,
}

#[cfg(feature = "std")]
type Identity = std::sync::Arc<str>;
#[cfg(not(feature = "std"))]
type Identity = alloc::rc::Rc<str>;

impl Peer {
    pub(crate) fn new(identity: &str, session: Session) -> Self {
        Self { identity: identity.into(), state: Shared::new(State::new(session)) }
    }

    /// Who it is: for a charge point, the identity of its URL.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The protocol that is spoken with it.
    pub fn dialect(&self) -> &'static Dialect {
        self.state.with(|state| state.session.dialect())
    }

    /// Calls the peer and waits for its answer.
    ///
    /// Calls are sent in order, as many before an answer as [`Config::outstanding`](crate::session::Config) allows; the
    /// time-out ([`Config::call_timeout`](crate::session::Config)) starts when the CALL is sent, and [`Call::timeout`] gives
    /// one call another. Dropping the future takes the call back if it was not sent yet; [`Call::withdraw`] also says
    /// whether it was.
    ///
    /// # Errors
    /// [`CallFailure::may_have_acted`] says what the caller must know: whether the peer may have acted on the request.
    pub fn call<R: Request>(&self, request: R) -> Call<R> {
        Call { pending: self.begin(|session| session.call(&request)), response: PhantomData }
    }

    /// [`Peer::call`] with JSON text as the request, for callers that know the action only when they run. The future gives
    /// the response as JSON text that the action's type has judged as liberally as the connection allows.
    ///
    /// ```no_run
    /// # async fn reset(peer: &onwire::Peer) -> Result<(), onwire::CallFailure> {
    /// use onwire::ActionEntry;
    /// use onwire::ocpp::v16::ACTIONS;
    ///
    /// if let Some(action) = ActionEntry::find(ACTIONS, "Reset") {
    ///     println!("{}", peer.call_text(action, r#"{"type":"Soft"}"#).await?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Peer::call`], and [`CallFailure::Unsupported`] if the action is never answered.
    pub fn call_text(&self, action: &ActionEntry, request: &str) -> CallText {
        let pending = self.begin(|session| session.call_text(action, request));
        CallText { pending, response: action.response, judges: true }
    }

    /// [`Peer::call_text`] without any judgement: the request is sent as it is, and the response comes as it came. For
    /// operators who know that this peer wants what the schema forbids.
    ///
    /// # Errors
    /// Those of [`Peer::call_text`], but [`CallFailure::Unsendable`] and [`CallFailure::InvalidResponse`].
    pub fn call_unjudged(&self, action: &ActionEntry, request: &RawJson) -> CallText {
        let pending = self.begin(|session| session.call_unjudged(action, request));
        CallText { pending, response: action.response, judges: false }
    }

    /// [`Peer::call_unjudged`] of any method, under an id of the caller's choice; see
    /// [`Session::call_as`](crate::session::Session::call_as). Ids of other calls count from
    /// [`Config::first_id`](crate::session::Config::first_id).
    ///
    /// # Errors
    /// Those of [`Peer::call`], but [`CallFailure::Unsendable`] and [`CallFailure::InvalidResponse`]; and
    /// [`CallFailure::Unsupported`] if a call of that id is under way.
    pub fn call_as(&self, id: u32, method: &str, request: &RawJson) -> CallText {
        let pending = self.begin(|session| session.call_as(id, method, request));
        CallText { pending, response: None, judges: false }
    }

    fn begin(&self, call: impl FnOnce(&mut Session) -> Result<CallToken, CallFailure>) -> Pending {
        let started = self.state.with(|state| {
            let token = call(&mut state.session)?;
            state.callers.push(Caller { token, waker: None, awaits_sending: false });
            Ok((token, state.transport.take()))
        });
        let state = match started {
            Ok((token, waker)) => {
                if let Some(waker) = waker {
                    waker.wake();
                }
                CallState::Pending(token)
            }
            Err(failure) => CallState::Failed(Box::new(failure)),
        };
        Pending { peer: self.clone(), state }
    }

    /// Sends a message that is never answered, so that there is nothing to wait for. It need not wait for the outstanding
    /// call; whether it arrives stays unknown.
    ///
    /// # Errors
    /// [`CallFailure::QueueFull`] while as many wait to be sent as
    /// [`Config::send_queue`](crate::session::Config::send_queue) allows; [`CallFailure::Unsendable`],
    /// [`CallFailure::NotSent`], [`CallFailure::Unsupported`].
    pub fn send<R: Unanswered>(&self, request: R) -> Result<(), CallFailure> {
        let waker = self.state.with(|state| {
            state.session.send(&request)?;
            Ok(state.transport.take())
        })?;
        waker.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Whether the connection still stands.
    pub fn is_connected(&self) -> bool {
        self.state.with(|state| state.session.ended().is_none())
    }

    /// What calls fail with since the connection ended; `None` while it stands.
    pub fn failure(&self) -> Option<CallFailure> {
        self.state.with(|state| state.session.ended().cloned())
    }

    /// Ends the connection from this side: calls fail with `failure`, and the transport closes.
    pub fn disconnect(&self, failure: CallFailure) {
        let wakers = self.state.with(|state| {
            state.session.end(failure);
            state.all_wakers()
        });
        wakers.into_iter().for_each(Waker::wake);
    }

    /// [`Peer::disconnect`] because what the peer tells cannot be kept, as when a database fails. A transport that
    /// acknowledges messages (MQTT, quality of service 1) acknowledges none any more, and what has not been read is not read:
    /// the peer sends it again when it is back. What a handler returns after that is not sent.
    pub fn give_up(&self, failure: CallFailure) {
        let wakers = self.state.with(|state| {
            state.session.give_up(failure);
            state.all_wakers()
        });
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether [`Peer::give_up`] was called.
    #[cfg(feature = "net")]
    pub(crate) fn is_given_up(&self) -> bool {
        self.state.with(|state| state.session.is_given_up())
    }

    /// The quirks that this peer has shown so far.
    pub fn noticed_quirks(&self) -> Quirks {
        self.state.with(|state| state.noticed)
    }

    /// Whether both are handles of the same connection.
    pub fn is_same_connection(&self, other: &Self) -> bool {
        self.state.is_same(&other.state)
    }

    pub(crate) fn allowed_quirks(&self) -> Quirks {
        self.state.with(|state| state.session.config().quirks)
    }

    pub(crate) fn note_quirks(&self, quirks: Quirks) {
        if !quirks.is_empty() {
            self.state.with(|state| state.noticed = state.noticed.union(quirks));
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peer").field(&self.identity()).finish()
    }
}

/// A call under way: a future of the response.
#[must_use = "a call is sent in any case, but its failure goes unseen unless the future is awaited"]
pub struct Call<R: Request> {
    pending: Pending,
    response: PhantomData<fn() -> R::Response>,
}

/// A call under way whose response is JSON text.
#[must_use = "a call is sent in any case, but its failure goes unseen unless the future is awaited"]
pub struct CallText {
    pending: Pending,
    response: Option<PayloadType>,
    judges: bool,
}

/// What all calls under way have alike: its code exists once.
struct Pending {
    peer: Peer,
    state: CallState,
}

enum CallState {
    Failed(Box<CallFailure>),
    Pending(CallToken),
    Done,
}

impl Pending {
    fn set_timeout(&self, timeout: Duration) {
        let CallState::Pending(token) = self.state else { return };
        // Whoever drives the connection looks at its deadlines when it is woken, as the writer or as the timekeeper.
        let wakers = self.peer.state.with(|state| {
            let known = state.poll_deadline();
            state.session.set_timeout(token, timeout);
            let is_earlier = state.poll_deadline() < known;
            if is_earlier { [state.deadline.take(), state.transport.take()] } else { [None, None] }
        });
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    fn poll(&mut self, context: &Context<'_>) -> Poll<Outcome> {
        let token = match core::mem::replace(&mut self.state, CallState::Done) {
            CallState::Failed(failure) => return Poll::Ready(Err(*failure)),
            CallState::Done => return Poll::Pending,
            CallState::Pending(token) => token,
        };
        let outcome = self.peer.state.with(|state| {
            let outcome = state.session.take_outcome(token);
            match &outcome {
                Some(_) => state.leave(token),
                None => state.register(token, context, false),
            }
            outcome
        });
        match outcome {
            None => {
                self.state = CallState::Pending(token);
                Poll::Pending
            }
            Some(outcome) => Poll::Ready(outcome),
        }
    }

    fn poll_sent(&self, context: &Context<'_>) -> Poll<bool> {
        let token = match self.state {
            CallState::Pending(token) => token,
            CallState::Failed(_) => return Poll::Ready(false),
            CallState::Done => return Poll::Ready(true),
        };
        self.peer.state.with(|state| match state.session.was_sent(token) {
            Some(was_sent) => Poll::Ready(was_sent),
            None => {
                state.register(token, context, true);
                Poll::Pending
            }
        })
    }

    fn withdraw(&mut self) -> bool {
        let CallState::Pending(token) = self.state else { return false };
        let is_withdrawn = self.peer.state.with(|state| {
            let waits = state.session.was_sent(token).is_none();
            if waits {
                state.session.abandon(token);
                state.leave(token);
            }
            waits
        });
        if is_withdrawn {
            self.state = CallState::Failed(Box::new(CallFailure::NotSent));
        }
        is_withdrawn
    }

    /// What the caller gets of a response that was judged.
    fn judged<T>(&self, response: Result<(T, Quirks), DecodeError>) -> Result<T, CallFailure> {
        let (response, quirks) = response.map_err(CallFailure::InvalidResponse)?;
        self.peer.note_quirks(quirks);
        Ok(response)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let CallState::Pending(token) = self.state {
            self.peer.state.with(|state| {
                state.session.abandon(token);
                state.leave(token);
            });
        }
    }
}

impl<R: Request> Call<R> {
    /// Waits this long for the answer instead of [`Config::call_timeout`](crate::session::Config), from the moment the CALL
    /// is sent: a charge point may need minutes for a GetDiagnostics, and an operator at a page waits for seconds.
    ///
    /// ```no_run
    /// # async fn unlock(peer: &onwire::Peer) -> Result<(), onwire::CallFailure> {
    /// use core::time::Duration;
    /// use onwire::ocpp::v16::UnlockConnectorRequest;
    ///
    /// let response = peer.call(UnlockConnectorRequest::new(1)).timeout(Duration::from_secs(90)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn timeout(self, timeout: Duration) -> Self {
        self.pending.set_timeout(timeout);
        self
    }

    /// Waits until the CALL is handed to the transport; calls before it may have to be answered first. Returns `false` if
    /// the call ended before that: the future of the response then says why.
    ///
    /// ```no_run
    /// # async fn reset(peer: &onwire::Peer) -> Result<(), onwire::CallFailure> {
    /// use onwire::ocpp::v16::{ResetRequest, ResetType};
    ///
    /// let mut call = peer.call(ResetRequest::new(ResetType::Soft));
    /// if call.sent().await {
    ///     println!("it is on its way");
    /// }
    /// println!("{:?}", call.await?.status);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn sent(&mut self) -> bool {
        poll_fn(|context| self.pending.poll_sent(context)).await
    }

    /// Takes the call back if it still waits for its turn, so that it is never sent, and returns whether that was so. The
    /// future of the response then fails with [`CallFailure::NotSent`]. Returns `false`, and changes nothing, if the CALL was
    /// handed to the transport or the call has ended.
    pub fn withdraw(&mut self) -> bool {
        self.pending.withdraw()
    }
}

impl CallText {
    /// As [`Call::timeout`].
    pub fn timeout(self, timeout: Duration) -> Self {
        self.pending.set_timeout(timeout);
        self
    }

    /// As [`Call::sent`].
    pub async fn sent(&mut self) -> bool {
        poll_fn(|context| self.pending.poll_sent(context)).await
    }

    /// As [`Call::withdraw`].
    pub fn withdraw(&mut self) -> bool {
        self.pending.withdraw()
    }
}

impl<R: Request> Future for Call<R> {
    type Output = Result<R::Response, CallFailure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.pending.poll(context).map(|outcome| {
            let response = codec::decode_payload(&outcome?, self.pending.peer.allowed_quirks());
            self.pending.judged(response)
        })
    }
}

impl Future for CallText {
    type Output = Result<String, CallFailure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.pending.poll(context).map(|outcome| {
            if !self.judges {
                return outcome;
            }
            let kind = self.response.ok_or(CallFailure::Unsupported)?;
            let response = kind.received(&outcome?, self.pending.peer.allowed_quirks());
            self.pending.judged(response)
        })
    }
}

impl<R: Request> fmt::Debug for Call<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("peer", &self.pending.peer).finish_non_exhaustive()
    }
}

impl fmt::Debug for CallText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallText").field("peer", &self.pending.peer).finish_non_exhaustive()
    }
}
