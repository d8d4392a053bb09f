//! Built for microcontrollers in CI: generated protocols, their handlers and the behaviours of the firmware, without `std`.

#![no_std]

extern crate alloc;

pub mod kept;
pub mod pile;

use core::pin::Pin;
use core::task::{Context, Waker};

use alloc::boxed::Box;
use alloc::string::String;
use onwire::ocpp::v16::*;
use onwire::session::Config;
use onwire::types::DateTime;
use onwire::{Connection, Instant, Peer, Router};
use onwire_firmware::{ChargePoint, Hardware};

struct Charger;

#[onwire::handlers(ocpp::v16, role = ChargePoint, local)]
impl Charger {
    #[on(RemoteStartTransaction)]
    async fn remote_start(&self, req: RemoteStartTransactionRequest) -> RemoteStartTransactionResponse {
        let known = req.id_tag == "TAG1";
        RemoteStartTransactionResponse::new(match known {
            true => RemoteStartStopStatus::Accepted,
            false => RemoteStartStopStatus::Rejected,
        })
    }

    #[after(RemoteStartTransaction)]
    async fn start(&self, peer: &Peer, req: RemoteStartTransactionRequest) {
        let _ = peer.call(StartTransactionRequest::new(1, req.id_tag, 0, DateTime::UNIX_EPOCH)).await;
    }
}

/// Answers one frame; on a board this is the loop around the modem.
pub fn answer(frame: &str, now: Instant) -> Option<String> {
    let connection = Connection::new("central system", Charger::DIALECT, Config::default());
    connection.receive(frame, now);
    let mut handlers = core::pin::pin!(connection.serve(&Charger));
    let _ = handlers.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    connection.poll_transmit(now)
}

/// The whole charge point as one future, for an executor of one's own.
pub fn behaviour<'d, H: Hardware>(
    charge_point: &'d ChargePoint<H>,
    connection: &'d Connection,
) -> Pin<Box<dyn Future<Output = ()> + 'd>> {
    Box::pin(async move {
        let peer = connection.peer();
        let work = async {
            charge_point.boot(peer).await?;
            charge_point.obey(peer).await
        };
        let handlers = core::pin::pin!(connection.serve(charge_point));
        let _ = futures(handlers, core::pin::pin!(work)).await;
    })
}

/// Polls both until the second is done.
async fn futures<T>(mut first: Pin<&mut impl Future>, mut second: Pin<&mut impl Future<Output = T>>) -> T {
    core::future::poll_fn(|context| {
        let _ = first.as_mut().poll(context);
        second.as_mut().poll(context)
    })
    .await
}
