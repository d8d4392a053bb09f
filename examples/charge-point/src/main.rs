//! A charge point on simulated hardware: boots, plays one charging session, and with `--stay` or `--obey` does what the
//! central system says.

mod simulated;

use std::time::Duration;

use anyhow::bail;
use clap::Parser;
use onwire::Peer;
use onwire::net::Client;
use onwire::ocpp::v16::Reason;
use onwire_firmware::{ChargePoint, Charged, Configuration, Hardware, Model};
use simulated::Simulated;

/// Plays a charge point against a central system.
#[derive(Debug, Parser)]
struct Arguments {
    /// The central system, with this charge point's identity at the end: ws://host:port/ocpp/CP1
    url: String,
    /// Tag that starts the session.
    #[arg(long, default_value = "TAG1")]
    id_tag: String,
    /// Seconds that the session lasts.
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    charge: u64,
    /// Seconds between two MeterValues.
    #[arg(long, default_value_t = 1, value_name = "SECONDS")]
    sample: u64,
    /// Stay connected after the session and obey remote starts and stops.
    #[arg(long)]
    stay: bool,
    /// Play no session: boot, and obey the central system.
    #[arg(long)]
    obey: bool,
}

// One thread is enough, and nothing has to be Send.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let arguments = Arguments::parse();
    let model = Model {
        vendor: "onwire".into(),
        model: "simulated".into(),
        firmware_version: Some(env!("CARGO_PKG_VERSION").into()),
    };
    let mut configuration = Configuration::default();
    configuration.meter_value_sample_interval = Duration::from_secs(arguments.sample);
    let charge_point = ChargePoint::new(Simulated::default(), model, configuration, 1);

    let client = Client::connect(&arguments.url, &charge_point).await?;
    println!("connected to {}", arguments.url);
    let peer = client.peer();
    let session = async {
        charge_point.boot(&peer).await?;
        println!("accepted by the central system; its clock says {}", charge_point.hardware().now());
        if !arguments.obey {
            play(&charge_point, &peer, &arguments).await?;
        }
        if arguments.stay || arguments.obey {
            println!("obeying the central system; ctrl-c ends");
            tokio::select! {
                failed = charge_point.obey(&peer) => match failed? {},
                failed = charge_point.heartbeats(&peer) => match failed? {},
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Ok(())
    };
    client.run_until(session).await?
}

/// One session, as its driver would have it.
async fn play(charge_point: &ChargePoint<Simulated>, peer: &Peer, arguments: &Arguments) -> anyhow::Result<()> {
    let stop = async {
        tokio::time::sleep(Duration::from_secs(arguments.charge)).await;
        Reason::Local
    };
    let id_tag = arguments.id_tag.as_str().into();
    match charge_point.charge(peer, 1, id_tag, stop).await? {
        Charged::Stopped { transaction_id, energy_wh, reason } => {
            println!("transaction {transaction_id}: {energy_wh} Wh, stopped ({reason})");
            Ok(())
        }
        other => bail!("no session: {other:?}"),
    }
}
