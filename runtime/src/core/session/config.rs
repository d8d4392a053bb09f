//! What a session tolerates and how much it holds.

use core::time::Duration;

use crate::codec::Quirks;

/// What a session tolerates and how much it holds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// How long an answer is waited for, from the moment the CALL is handed to the transport. Default 30 s.
    pub call_timeout: Duration,
    /// How long a handler may take to answer a CALL. After that the session answers `InternalError`, and the connection
    /// drops the handler's future and goes on. Default 60 s.
    pub handler_timeout: Duration,
    /// How long an `#[after]` handler may take before its future is dropped. Default 5 min.
    pub after_timeout: Duration,
    /// How many own calls may wait for their turn; one more fails with [`CallFailure::QueueFull`]. Default 8.
    ///
    /// [`CallFailure::QueueFull`]: crate::CallFailure::QueueFull
    pub call_queue: usize,
    /// How many own calls may be unanswered at once. Default 1, which is OCPP-J's rule; Alink knows of none.
    pub outstanding: usize,
    /// How many messages that are never answered (SEND) may wait to be sent; one more fails with
    /// [`CallFailure::QueueFull`]. Default 8.
    ///
    /// [`CallFailure::QueueFull`]: crate::CallFailure::QueueFull
    pub send_queue: usize,
    /// How many CALLs of the peer may wait for a handler. When as many wait, reading stops, and what comes next stays in the
    /// transport; while a call of ours is outstanding it goes on until twice as many wait, so that the answer can come in
    /// behind them. While as many answers wait for a peer that does not take them, reading stops and no further CALL is
    /// begun. Default 8.
    pub inbox: usize,
    /// How many `#[after]` handlers may wait. When as many wait, the next CALL is not begun. Default 4.
    pub after_queue: usize,
    /// How many bytes of recent answers are kept, so that a CALL that is sent again gets the same answer again and its
    /// handler does not run twice; 0 keeps none. The oldest go first; an answer that alone takes more is not kept. Answers
    /// that hold the time or a decision of the moment ([`Dialect::fresh`](crate::Dialect::fresh)) are never kept.
    ///
    /// The very same text within [`Config::repeat_window`] counts as sent again, until the peer gives one id to two
    /// different CALLs: ids mean nothing to it then, and on this connection every text is a new CALL. Default 1024.
    pub answer_memory: usize,
    /// For how long after its answer was sent a CALL that comes again, word for word, counts as sent again. A peer that
    /// waited for the answer in vain repeats the CALL within seconds. Default 10 s.
    pub repeat_window: Duration,
    /// What liberal decoding lets through. Default [`Quirks::ALL`].
    pub quirks: Quirks,
    /// Where the ids of own calls start to count. The adapters of `net` draw a random number for each connection, so that
    /// ids of two connections differ.
    pub first_id: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            call_timeout: Duration::from_secs(30),
            handler_timeout: Duration::from_secs(60),
            after_timeout: Duration::from_secs(300),
            call_queue: 8,
            outstanding: 1,
            send_queue: 8,
            inbox: 8,
            after_queue: 4,
            answer_memory: 1024,
            repeat_window: Duration::from_secs(10),
            quirks: Quirks::ALL,
            first_id: 1,
        }
    }
}
