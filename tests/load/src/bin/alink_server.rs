//! A platform for devices that speak Alink, on onwire: typed handlers, no store.

use onwire::Peer;
use onwire::alink::SyncServices;
use onwire::mqtt::Refused;
use onwire::net::alink::{Admission, Listener, LoginRequest, Message, Platform, Publisher};
use onwire_load::serving::{Outcome, announce, run};

/// The thing model.
#[allow(dead_code, unreachable_pub, missing_docs, clippy::all, reason = "generated: both sides, of which this is one")]
mod tracker {
    onwire::include_protocol!("tracker");
}
use tracker::*;

struct Cloud;

#[onwire::handlers(crate::tracker, role = Platform)]
impl Cloud {
    #[on(PropertyPost)]
    fn post(&self, _post: Properties) {}
}

impl Platform for Cloud {
    type Router = Self;

    async fn login(&self, login: LoginRequest) -> Result<Admission, Refused> {
        let device_name = login.connect.client_id;
        Ok(Admission::Device { product_key: "tracker".into(), device_name, sync: SyncServices::default() })
    }

    fn router(&self) -> &Self {
        self
    }

    async fn message(&self, _: &Peer, _: &Publisher, _: Message) {}
}

fn main() -> Outcome {
    run(async move |listen| {
        let listener = Listener::bind(listen).await?;
        announce("mqtt", listener.local_addr()?);
        listener.serve(Cloud).await;
        Ok(())
    })
}
