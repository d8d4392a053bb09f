//! A span of tracing around the handlers of each CALL, where there is tracing.

use core::future::Future;

use crate::core::frame::CallFrame;

/// The span `call`, with the action and the message id.
#[cfg(feature = "net")]
pub(super) fn in_span<F: Future>(phase: Phase, call: &CallFrame, handling: F) -> tracing::instrument::Instrumented<F> {
    let (action, id) = (call.action(), call.id_token());
    tracing::Instrument::instrument(
        handling,
        match phase {
            Phase::On => tracing::info_span!("on", action, id),
            Phase::After => tracing::info_span!("after", action, id),
        },
    )
}

#[cfg(not(feature = "net"))]
pub(super) fn in_span<F: Future>(_: Phase, _: &CallFrame, handling: F) -> F {
    handling
}

/// Which handler of a CALL.
#[derive(Debug, Clone, Copy)]
pub(super) enum Phase {
    On,
    After,
}
