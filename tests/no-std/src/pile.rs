//! A charging pile by its thing model.

use alloc::vec::Vec;
use core::cell::RefCell;
use core::task::{Context, Waker};

use onwire::alink::{Channel, Incoming};
use onwire::mqtt::Client;
use onwire::session::Config;
use onwire::types::DateTime;
use onwire::{Connection, Instant, Peer, Router};

/// The generated module.
pub mod model {
    onwire::include_protocol!("pile");
}

use model::*;

struct Charger {
    state: RefCell<Properties>,
}

#[onwire::handlers(model, role = Device, local)]
impl Charger {
    #[on(PropertyGet)]
    fn get(&self, req: PropertyGetRequest) -> Properties {
        self.state.borrow().only(req.identifiers)
    }

    #[on(PropertySet)]
    fn set(&self, wanted: Properties) {
        self.state.borrow_mut().apply(wanted);
    }

    #[on(StopCharging)]
    async fn stop(&self, req: StopChargingRequest) -> StopChargingResponse {
        StopChargingResponse::new(req.order_no, req.gun, Outcome::Done, 0)
    }

    #[after(StopCharging)]
    async fn stopped(&self, peer: &Peer, req: StopChargingRequest) {
        let stopped = StopResultOutput {
            order_no: req.order_no,
            gun: req.gun,
            outcome: Outcome::Done,
            reason: 0,
            stop_reason: StopReason::StoppedByThePlatform,
            ended_at: DateTime::UNIX_EPOCH,
        };
        let _ = peer.call(stopped.at(DateTime::UNIX_EPOCH)).await;
        let now = self.state.borrow().clone().at(DateTime::UNIX_EPOCH);
        let _ = peer.call(now).await;
    }
}

/// Answers what a modem has received; on a board this is the loop around it.
pub fn answer(channel: &mut Channel<Client>, bytes: &[u8], now: Instant) -> Option<Vec<u8>> {
    let charger = Charger { state: RefCell::default() };
    let connection = Connection::new("platform", Charger::DIALECT, Config::default());
    channel.receive(bytes, now).ok()?;
    while let Some(incoming) = channel.poll() {
        if let Incoming::Frame { text, receipt } = incoming {
            connection.receive_as(&text, receipt, now);
        }
    }
    let mut handlers = core::pin::pin!(connection.serve(&charger));
    let _ = handlers.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    while let Some((frame, answers)) = connection.poll_transmit_for(now) {
        channel.send(&frame, answers, now).ok()?;
    }
    while let Some(done) = connection.poll_receipt() {
        channel.done(done);
    }
    channel.link_mut().poll_transmit()
}
