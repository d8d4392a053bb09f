//! Calls and answers whose payload is JSON text, for whoever knows an action only when it runs.

use alloc::string::String;

use super::{CallToken, Session, Waiting};
use crate::codec::EncodeError;
use crate::core::error::{CallError, CallFailure};
use crate::core::frame::{CallFrame, FRAME, Reply, error_frame};
use crate::core::table::ActionEntry;
use crate::types::RawJson;

impl Session {
    /// Queues a call with JSON text as its request. What leaves is what the generated type has read and written again.
    ///
    /// # Errors
    /// Those of [`Session::call`], and [`CallFailure::Unsupported`] if the action is never answered.
    pub fn call_text(&mut self, action: &ActionEntry, request: &str) -> Result<CallToken, CallFailure> {
        if action.response.is_none() {
            return Err(CallFailure::Unsupported);
        }
        self.may_call()?;
        let open = self.dialect.framing.open_call;
        let (id, frame) = self.frame(open, action.name, |out| action.request.write_sendable(request, out))?;
        let token = CallToken(id);
        self.waiting.push_back(Waiting { token, frame, timeout: None });
        Ok(token)
    }

    /// Queues a call with a request that nothing has judged: for a peer that wants what the schema forbids.
    ///
    /// # Errors
    /// Those of [`Session::call_text`], but [`CallFailure::Unsendable`].
    pub fn call_unjudged(&mut self, action: &ActionEntry, request: &RawJson) -> Result<CallToken, CallFailure> {
        if action.response.is_none() {
            return Err(CallFailure::Unsupported);
        }
        self.may_call()?;
        let open = self.dialect.framing.open_call;
        let (id, frame) = self.frame(open, action.name, |out| {
            out.push_str(request.as_str());
            Ok(())
        })?;
        let token = CallToken(id);
        self.waiting.push_back(Waiting { token, frame, timeout: None });
        Ok(token)
    }

    /// Queues a call of any method under an id of the caller's choice, with a request that nothing has judged: for what was stored
    /// and is sent again, with the id by which the peer knows it. It takes the place of an earlier one of that id that nobody
    /// waits for any more.
    ///
    /// # Errors
    /// [`CallFailure::QueueFull`] and [`CallFailure::NotSent`]; [`CallFailure::Unsupported`] if a call of that id is under way.
    pub fn call_as(&mut self, id: u32, method: &str, request: &RawJson) -> Result<CallToken, CallFailure> {
        self.may_call()?;
        let token = CallToken(id);
        self.outstanding.retain(|call| call.token != token || !call.abandoned);
        let is_known = self.outstanding.iter().any(|call| call.token == token);
        if is_known || self.waiting.iter().any(|call| call.token == token) {
            return Err(CallFailure::Unsupported);
        }
        let mut frame = String::with_capacity(FRAME);
        (self.dialect.framing.open_call)(&mut frame, itoa::Buffer::new().format(id), method);
        frame.push_str(request.as_str());
        (self.dialect.framing.close_call)(&mut frame, method);
        self.waiting.push_back(Waiting { token, frame, timeout: None });
        Ok(token)
    }

    /// Queues a message that is never answered, with JSON text as its payload.
    ///
    /// # Errors
    /// Those of [`Session::send`], and [`CallFailure::Unsupported`] if the action is answered.
    pub fn send_text(&mut self, action: &ActionEntry, request: &str) -> Result<(), CallFailure> {
        if action.response.is_some() {
            return Err(CallFailure::Unsupported);
        }
        let open = self.may_send()?;
        let (_, frame) = self.frame(open, action.name, |out| action.request.write_sendable(request, out))?;
        self.sends.push_back(frame);
        Ok(())
    }

    /// [`Session::answer`] with JSON text as the response; of a message that is never answered it only says that it was
    /// handled.
    ///
    /// # Errors
    /// [`EncodeError`] if the text is no such response; the CALL can still be answered then.
    pub fn answer_text(&mut self, call: &CallFrame, action: &ActionEntry, response: &str) -> Result<bool, EncodeError> {
        let reply = match action.response.filter(|_| call.wants_answer()) {
            Some(kind) => {
                Reply::write(self.dialect, call.id_token(), |out| kind.write_sendable(response, out))?.into_frame()
            }
            None if call.wants_answer() => {
                // A peer that waits for the answer to what is never answered gets an empty one.
                let nothing = Reply::write(self.dialect, call.id_token(), |out| {
                    out.push_str("{}");
                    Ok::<(), EncodeError>(())
                });
                nothing?.into_frame()
            }
            None => String::new(),
        };
        Ok(self.answer(call, reply))
    }

    /// [`Session::answer`] with a refusal; of a message that is never answered it only says that it was handled.
    pub fn answer_error(&mut self, call: &CallFrame, error: &CallError) -> bool {
        let frame = if call.wants_answer() { error_frame(self.dialect, call.id_token(), error) } else { String::new() };
        self.answer(call, frame)
    }
}
