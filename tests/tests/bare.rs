//! A protocol of two schemas and nothing else, between a server and a client that only asks.

use onwire::net::{Client, Disconnected, Server};
use onwire_tests::bare::{AddRequest, AddResponse};

struct Adds;

#[onwire::handlers(onwire_tests::bare, role = CentralSystem)]
impl Adds {
    #[on(Add)]
    fn add(&self, req: AddRequest) -> AddResponse {
        AddResponse::new(req.first + req.second)
    }
}

/// It has nothing to answer.
struct Asks;

#[onwire::handlers(onwire_tests::bare, role = ChargePoint)]
impl Asks {}

#[tokio::test]
async fn it_is_spoken_without_a_subprotocol() {
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ocpp/A", server.local_addr().unwrap());
    tokio::spawn(server.serve(Adds));
    let client = Client::connect(&url, Asks).await.unwrap();
    let peer = client.peer();
    let sum = client.run_until(async { peer.call(AddRequest::new(2, 3)).await }).await.unwrap();
    assert_eq!(sum, Ok(AddResponse::new(5)));
}

#[tokio::test]
async fn who_has_only_questions_refuses_those_of_others() {
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ocpp/A", server.local_addr().unwrap());
    let peers = server.peers();
    let mut events = peers.events();
    tokio::spawn(server.serve(Adds));
    tokio::spawn(async move { Client::connect(&url, Asks).await.unwrap().run().await });
    events.next().await.unwrap().unwrap();
    let answer = peers.get("A").unwrap().call(AddRequest::new(1, 1)).await.unwrap_err();
    assert!(answer.to_string().contains("NotSupported"), "{answer}");
}

#[tokio::test]
async fn what_a_server_says_as_it_closes_reaches_the_caller() {
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ocpp/A", server.local_addr().unwrap());
    tokio::spawn(server.serve(other::Other));
    let client = Client::connect(&url, Asks).await.unwrap();
    match client.run().await {
        Disconnected::Closed(goodbye) => {
            assert_eq!((goodbye.code, &*goodbye.reason), (1002, "no subprotocol in common"));
            assert_eq!(goodbye.to_string(), r#"1002, "no subprotocol in common""#);
        }
        other => panic!("{other}"),
    }
}

/// A server of another protocol, which has a subprotocol.
mod other {
    use onwire::ocpp::v16::HeartbeatResponse;
    use onwire::types::DateTime;

    pub struct Other;

    #[onwire::handlers(onwire::ocpp::v16, role = CentralSystem)]
    impl Other {
        #[on(Heartbeat)]
        fn heartbeat(&self) -> HeartbeatResponse {
            HeartbeatResponse::new(DateTime::now())
        }
    }
}
