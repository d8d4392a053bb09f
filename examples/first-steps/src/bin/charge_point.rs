//! A charge point in thirty lines: `cargo run -p first-steps --bin charge_point`.
use onwire::net::Client;
use onwire::ocpp::v16::*;
use onwire::types::DateTime;

struct Charger;

#[onwire::handlers(ocpp::v16, role = ChargePoint)]
impl Charger {
    #[on(GetConfiguration)]
    fn configuration(&self) -> GetConfigurationResponse {
        let key = KeyValue { value: Some("1".into()), ..KeyValue::new("NumberOfConnectors", true) };
        GetConfigurationResponse { configuration_key: Some(vec![key]), ..Default::default() }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::connect("ws://127.0.0.1:8080/ocpp/CP1", Charger).await?;
    let peer = client.peer();
    client
        .run_until(async {
            let boot = peer.call(BootNotificationRequest::new("Example", "Model 1")).await?;
            println!("{} at {}", boot.status, boot.current_time);
            let start = StartTransactionRequest::new(1, "TAG1", 0, DateTime::now());
            println!("{:?}", peer.call(start).await);
            Ok(())
        })
        .await?
}
