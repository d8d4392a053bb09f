//! A charging pile on an Alink platform (Aliyun IoT, or `alink-hub`): charges when it is told to, and uploads the order.

mod order;
mod simulated;

use std::cell::RefCell;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use onwire::alink::{DeviceRef, LoginOptions, Secret};
use onwire::codec::Message;
use onwire::net::Link;
use onwire::net::alink::Device;
use onwire::types::DateTime;
use onwire_firmware::outbox::{Entry, FilePostbox};
use order::{Kept, ended};
use simulated::Simulated;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

onwire::include_protocol!(mod pile);
use pile::*;

/// Plays a charging pile with one connector.
#[derive(Debug, Parser)]
struct Arguments {
    /// The platform: mqtt://HOST:PORT, or the port 1883 if there is none.
    #[arg(default_value = "mqtt://127.0.0.1:1883")]
    url: String,
    /// Which product it is of.
    #[arg(long, default_value = "pile")]
    product_key: String,
    /// Which one of these.
    #[arg(long, default_value = "pile1")]
    device_name: String,
    /// Its secret, as the platform gave it.
    #[arg(long, env = "ALINK_DEVICE_SECRET", hide_env_values = true)]
    device_secret: Secret,
    /// Where orders wait until the platform has them: a file that plays flash, and one with `.now` for what is charged now.
    #[arg(long, default_value = "alink-pile.orders")]
    orders: PathBuf,
    /// Seconds between two posts while it charges.
    #[arg(long, default_value_t = 15)]
    interval: u64,
}

/// The pile, the order that it charges for, and what the platform must get.
struct Pile {
    order: RefCell<Option<Charging>>,
    kept: Kept,
    outbox: FilePostbox,
    hardware: Simulated,
}

#[onwire::handlers(crate::pile, role = Device, local)]
impl Pile {
    #[on(StartCharging)]
    fn start(&self, request: StartChargingRequest) -> StartChargingResponse {
        let StartChargingRequest { order_no, gun, power_limit, .. } = request;
        let mut order = self.order.borrow_mut();
        if gun != 1 || order.is_some() || self.kept.0.exists() {
            return StartChargingResponse::new(order_no, gun, Outcome::NotPossibleNow, 1);
        }
        let (meter, mut charging, now) = (self.hardware.meter(), Charging::blank(), DateTime::now());
        (charging.gun, charging.order_no, charging.state) = (gun, order_no.clone(), State::Charging);
        (charging.started_by, charging.started_at) = (StartedBy::Application, now);
        (charging.meter_start, charging.meter_now, charging.power_limit) = (meter, meter, power_limit);
        // Before anybody is told of it, and before the first watt-hour.
        if let Err(error) = self.kept.write(&ended(&charging, StopReason::PowerCut)) {
            eprintln!("{order_no} is not begun: {error:#}");
            return StartChargingResponse::new(order_no, gun, Outcome::NotPossibleNow, 2);
        }
        self.hardware.start(power_limit);
        *order = Some(charging);
        StartChargingResponse::new(order_no, gun, Outcome::Done, 0)
    }

    #[after(StartCharging)]
    async fn started(&self, answer: StartChargingResponse) {
        let Some(order) = self.order.borrow().clone().filter(|_| answer.outcome == Outcome::Done) else { return };
        let result = StartResultOutput::new(answer.order_no, 1, Outcome::Done, 0, order.started_at, order.meter_start);
        if let Err(error) = self.outbox.push(&result.at(DateTime::now())).await {
            eprintln!("the start of {} will not be told: {error}", order.order_no);
        }
    }

    #[on(StopCharging)]
    fn stop(&self, request: StopChargingRequest) -> StopChargingResponse {
        let is_known = self.order.borrow().as_ref().is_some_and(|order| order.order_no == request.order_no);
        if !is_known {
            return StopChargingResponse::new(request.order_no, request.gun, Outcome::UnknownOrder, 0);
        }
        self.hardware.stop();
        StopChargingResponse::new(request.order_no, request.gun, Outcome::Done, 0)
    }
}

impl Pile {
    /// Meters what is charged, and makes an order of it when it is over.
    async fn charge(&self, link: &Link, interval: Duration) -> anyhow::Result<()> {
        // The power failed while it charged: the contactor is open since then, and the meter shows what it showed.
        self.kept.uploaded(&self.outbox, interval).await;
        loop {
            self.hardware.changed_within(interval).await;
            let Some(mut charging) = self.order.borrow().clone() else { continue };
            (charging.meter_now, charging.output_power) = (self.hardware.meter(), self.hardware.power());
            charging.energy = charging.meter_now - charging.meter_start;
            self.order.replace(Some(charging.clone()));
            if !self.hardware.is_charging() {
                self.kept.write(&ended(&charging, StopReason::StoppedByThePlatform))?;
                self.kept.uploaded(&self.outbox, interval).await;
                self.order.replace(None);
                continue;
            }
            self.kept.write(&ended(&charging, StopReason::PowerCut))?;
            let news = Properties { charging: Some(charging), ..Properties::default() };
            if let Err(error) = link.call(news.at(DateTime::now())).await {
                eprintln!("the meter was not told: {error}");
            }
        }
    }
}

// One thread is enough, and nothing has to be Send.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(std::io::stdout().is_terminal()).init();
    let Arguments { url, product_key, device_name, device_secret, orders, interval } = Arguments::parse();
    let kept = Kept(orders.with_added_extension("now"));
    let hardware = Simulated::of(kept.read()?.map_or(0, |order| order.meter_end));
    let outbox = FilePostbox::open(orders, 16, Default::default()).await?;
    let pile = Pile { order: RefCell::default(), kept, outbox, hardware };
    let name = DeviceRef { product_key: &product_key, device_name: &device_name };
    let device = Device::with_secret(&url, name, &device_secret, LoginOptions::default())?.build(&pile)?;
    let link = device.link();
    let refused = |entry: Entry, why: &_| eprintln!("{} {} is refused: {why}", entry.name, entry.id);
    tokio::select! {
        () = device.run() => {}
        ended = pile.charge(&link, Duration::from_secs(interval)) => ended?,
        ended = pile.outbox.run(&link, refused) => ended?,
        _ = tokio::signal::ctrl_c() => println!("switched off"),
    }
    Ok(())
}
