//! Calls with one time limit for waiting and answer together.

use std::future::Future;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::sleep;

use crate::{Call, CallFailure, CallText, Request};

impl<R: Request> Call<R> {
    /// Waits for the answer for at most this long from now on, including the wait for earlier calls, which [`Call::timeout`]
    /// does not count.
    ///
    /// After the time limit no further call is sent to this peer before it has answered or as much time has passed since the
    /// CALL was sent: it may still be at work.
    ///
    /// ```no_run
    /// # async fn reset(peer: &onwire::Peer) -> Result<(), onwire::CallFailure> {
    /// use std::time::Duration;
    ///
    /// use onwire::CallFailure;
    /// use onwire::ocpp::v16::{ResetRequest, ResetType};
    ///
    /// match peer.call(ResetRequest::new(ResetType::Soft)).within(Duration::from_secs(10)).await {
    ///     Err(failure) if failure.may_have_acted() => println!("perhaps it restarts: {failure}"),
    ///     Err(failure) => println!("it does not restart: {failure}"),
    ///     Ok(answer) => println!("{:?}", answer.status),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CallFailure::Expired`] if the time limit passes before the CALL is sent, which it never is then;
    /// [`CallFailure::Timeout`] if it passes after that. Otherwise those of [`Peer::call`](crate::Peer::call).
    pub async fn within(self, total: Duration) -> Result<R::Response, CallFailure> {
        within(self.timeout(total), total, Self::withdraw).await
    }
}

impl CallText {
    /// As [`Call::within`].
    ///
    /// # Errors
    /// Those of [`Call::within`].
    pub async fn within(self, total: Duration) -> Result<String, CallFailure> {
        within(self.timeout(total), total, Self::withdraw).await
    }
}

async fn within<C, T>(mut call: C, total: Duration, withdraw: fn(&mut C) -> bool) -> Result<T, CallFailure>
where
    C: Future<Output = Result<T, CallFailure>> + Unpin,
{
    tokio::select! {
        biased;
        answer = &mut call => return answer,
        () = sleep(total) => {}
    }
    if withdraw(&mut call) {
        return Err(CallFailure::Expired);
    }
    // It may have ended at this very moment, perhaps without having been sent.
    call.now_or_never().unwrap_or(Err(CallFailure::Timeout))
}
