//! `rest = self.inner`: a framework's behaviour with one action overridden, and handlers in two modules.

use std::sync::Mutex;

use onwire::net::{Client, Server};
use onwire::ocpp::v16::*;
use onwire::types::DateTime;
use onwire::{CallFailure, ErrorCode};

/// What a framework would bring.
#[derive(Default)]
struct Framework {
    log: Mutex<Vec<&'static str>>,
}

impl Framework {
    fn note(&self, what: &'static str) {
        self.log.lock().unwrap().push(what);
    }
}

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Framework {
    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        self.note("framework: heartbeat");
        HeartbeatResponse::new(DateTime::UNIX_EPOCH)
    }

    #[after(Heartbeat)]
    fn after_heartbeat(&self) {
        self.note("framework: after heartbeat");
    }

    #[on(Authorize)]
    fn authorize(&self) -> AuthorizeResponse {
        self.note("framework: authorize");
        AuthorizeResponse::new(IdTagInfo::new(AuthorizationStatus::Accepted))
    }

    #[after(Authorize)]
    fn after_authorize(&self) {
        self.note("framework: after authorize");
    }
}

/// Handlers of another module, before those of the framework.
mod charging {
    use super::Framework;
    use onwire::ocpp::v16::*;

    #[derive(Default)]
    pub(super) struct Charging {
        pub(super) framework: Framework,
    }

    #[onwire::handlers(ocpp::v16, role = CentralSystem, rest = self.framework)]
    impl Charging {
        #[on(StartTransaction)]
        fn start(&self) -> StartTransactionResponse {
            self.framework.note("charging: start");
            StartTransactionResponse::new(IdTagInfo::new(AuthorizationStatus::Accepted), 1)
        }
    }
}

/// The application: overrides one action, adds to another, leaves the rest.
#[derive(Default)]
struct Csms {
    inner: charging::Charging,
}

#[onwire::handlers(ocpp::v16, role = CentralSystem, rest = self.inner)]
impl Csms {
    #[on(Authorize)]
    fn authorize(&self) -> AuthorizeResponse {
        self.inner.framework.note("csms: authorize");
        AuthorizeResponse::new(IdTagInfo::new(AuthorizationStatus::Blocked))
    }

    #[after(Heartbeat)]
    fn after_heartbeat(&self) {
        self.inner.framework.note("csms: after heartbeat");
    }
}

struct Charger;

#[onwire::handlers(ocpp::v16, role = ChargePoint)]
impl Charger {
    #[on(ClearCache)]
    fn clear_cache(&self) -> ClearCacheResponse {
        ClearCacheResponse::new(ClearCacheStatus::Rejected)
    }
}

#[tokio::test]
async fn one_action_is_overridden_one_is_added_to_and_the_rest_is_the_frameworks() {
    let csms = std::sync::Arc::new(Csms::default());
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ocpp/CP1", server.local_addr().unwrap());
    tokio::spawn(server.serve(csms.clone()));
    let client = Client::connect(&url, Charger).await.unwrap();
    let peer = client.peer();
    let work = async {
        let authorized = peer.call(AuthorizeRequest::new("TAG1")).await.unwrap();
        assert_eq!(authorized.id_tag_info.status, AuthorizationStatus::Blocked);
        peer.call(HeartbeatRequest::new()).await.unwrap();
        let start = StartTransactionRequest::new(1, "TAG1", 0, DateTime::UNIX_EPOCH);
        assert_eq!(peer.call(start).await.unwrap().transaction_id, 1);
        let nobody = peer.call(DataTransferRequest::new("com.example")).await.unwrap_err();
        assert_eq!(nobody, CallFailure::Refused(ErrorCode::NotSupported.into()));
        // `#[after]` handlers run beside the next calls, in their own order.
        while csms.inner.framework.log.lock().unwrap().len() < 5 {
            tokio::task::yield_now().await;
        }
    };
    client.run_until(work).await.unwrap();
    let mut log = csms.inner.framework.log.lock().unwrap().clone();
    let start = log.iter().position(|line| *line == "charging: start").unwrap();
    log.remove(start);
    assert_eq!(log, ["csms: authorize", "framework: heartbeat", "framework: after heartbeat", "csms: after heartbeat"]);
}

/// Handlers that a macro of the user's writes, with types that it was given.
macro_rules! heartbeat_only {
    ($name:ident, $request:ty, $response:ty) => {
        struct $name;

        #[onwire::handlers(ocpp::v16, role = CentralSystem)]
        impl $name {
            #[on(Heartbeat)]
            async fn heartbeat(&self, _req: $request) -> $response {
                HeartbeatResponse::new(DateTime::UNIX_EPOCH)
            }

            #[after(Heartbeat)]
            fn after_heartbeat(&self, _req: $request, _res: $response) {}
        }
    };
}

heartbeat_only!(FromAMacro, HeartbeatRequest, HeartbeatResponse);

#[test]
fn handlers_may_come_from_a_macro() {
    use onwire::Router;
    assert!(FromAMacro.has_after("Heartbeat"));
}
