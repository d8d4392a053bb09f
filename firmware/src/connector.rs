//! One connector's part in remote starts and stops.

use core::cell::Cell;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use onwire::ocpp::v16::IdToken;

/// What the handlers and the connector's loop say to each other.
#[derive(Default)]
pub(crate) struct Connector {
    /// A session is running, or about to.
    busy: Cell<bool>,
    transaction: Cell<Option<i64>>,
    /// Somebody waits for a remote start.
    obeys: Cell<bool>,
    remote_start: Signal<NoopRawMutex, IdToken>,
    remote_stop: Signal<NoopRawMutex, ()>,
}

impl Connector {
    /// Takes the connector for a session; `false` if it is taken.
    pub(crate) fn occupy(&self) -> bool {
        !self.busy.replace(true)
    }

    pub(crate) fn release(&self) {
        self.transaction.set(None);
        self.busy.set(false);
    }

    /// The central system wants a session; `false` if there is one, or nobody waits for it.
    pub(crate) fn offer_remote_start(&self, id_tag: IdToken) -> bool {
        let taken = self.obeys.get() && self.occupy();
        if taken {
            self.remote_start.signal(id_tag);
        }
        taken
    }

    /// Waits for a remote start; the connector is occupied then.
    pub(crate) async fn remote_start(&self) -> IdToken {
        struct Obeys<'c>(&'c Connector);
        impl Drop for Obeys<'_> {
            fn drop(&mut self) {
                self.0.obeys.set(false);
                // Accepted and not taken up: the connector is free again.
                if self.0.remote_start.try_take().is_some() {
                    self.0.release();
                }
            }
        }
        self.obeys.set(true);
        let _obeys = Obeys(self);
        self.remote_start.wait().await
    }

    pub(crate) fn started(&self, transaction: i64) {
        self.remote_stop.reset();
        self.transaction.set(Some(transaction));
    }

    /// The central system wants the session stopped; `false` if it is another one.
    pub(crate) fn offer_remote_stop(&self, transaction: i64) -> bool {
        let ours = self.transaction.get() == Some(transaction);
        if ours {
            self.remote_stop.signal(());
        }
        ours
    }

    pub(crate) async fn remote_stop(&self) {
        self.remote_stop.wait().await;
    }
}
