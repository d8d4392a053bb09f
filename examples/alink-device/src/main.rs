//! A tracker on an Alink platform (Aliyun IoT, or `alink-hub`): posts where it is, tells when it is moved, obeys, and updates
//! itself.

mod simulated;
mod update;

use std::cell::RefCell;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use onwire::alink::{DeviceRef, LoginOptions, Secret};
use onwire::net::Link;
use onwire::net::alink::Device;
use onwire::types::DateTime;
use onwire::{CallError, ErrorCode};
use onwire_firmware::ota::driver::Driver;
use onwire_firmware::ota::http::{Client, ClientConfig};
use simulated::Simulated;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

onwire::include_protocol!(mod tracker);
use tracker::*;

/// Plays a tracker.
#[derive(Debug, Parser)]
struct Arguments {
    /// The platform: mqtt://HOST:PORT, or the port 1883 if there is none.
    #[arg(default_value = "mqtt://127.0.0.1:1883")]
    url: String,
    /// Which product it is of.
    #[arg(long, default_value = "tracker")]
    product_key: String,
    /// Which one of these.
    #[arg(long, default_value = "tracker1")]
    device_name: String,
    /// Its secret, as the platform gave it.
    #[arg(long, env = "ALINK_DEVICE_SECRET", hide_env_values = true)]
    device_secret: Secret,
    /// Where updates are kept: a file that plays flash, and the program that came with the last one.
    #[arg(long, default_value = "alink-device.data")]
    data: PathBuf,
    /// Seconds between two posts, until the platform says otherwise.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(i64).range(1..))]
    interval: i64,
}

/// The tracker: its properties, as the platform may set them.
struct Tracker {
    state: RefCell<Properties>,
    hardware: Simulated,
}

#[onwire::handlers(crate::tracker, role = Device, local)]
impl Tracker {
    #[on(PropertySet)]
    fn set(&self, wanted: Properties) {
        println!("set: {wanted:?}");
        self.state.borrow_mut().apply(wanted);
    }

    #[on(PropertyGet)]
    fn get(&self, request: PropertyGetRequest) -> Properties {
        self.state.borrow().only(request.identifiers)
    }

    #[on(SetPowerLevel)]
    fn power_level(&self, request: SetPowerLevelRequest) -> SetPowerLevelResponse {
        self.state.borrow_mut().power_level = Some(request.power_level);
        SetPowerLevelResponse::new(true)
    }

    #[on(SetPhoneNumber)]
    fn phone_number(&self, request: SetPhoneNumberRequest) -> SetPhoneNumberResponse {
        self.state.borrow_mut().phone_number = Some(request.phone_number);
        SetPhoneNumberResponse::new(true)
    }

    #[on(Locate)]
    async fn locate(&self) -> Result<LocateResponse, CallError> {
        // 100000 to 110000 are a device's own codes.
        let no_satellites = CallError::new(ErrorCode::Other("100001".into()), "no satellites");
        let Position { longitude, latitude, .. } = self.hardware.position().ok_or(no_satellites)?;
        Ok(LocateResponse::new(true, longitude, latitude))
    }
}

impl Tracker {
    /// Posts what has changed, for ever.
    async fn report(&self, link: &Link) {
        loop {
            let position = self.hardware.position();
            let news = Properties {
                position: position.clone(),
                battery_level: Some(self.hardware.battery()),
                ..Properties::default()
            };
            self.state.borrow_mut().apply(news.clone());
            match link.call(news.at(DateTime::now())).await {
                Ok(_) => println!("posted {position:?}"),
                Err(error) => eprintln!("not posted: {error}"),
            }
            if let Some(position) = position.filter(|_| self.hardware.is_moved()) {
                let alarm = MovementAlarmOutput::new(position, Kind::Tow).at(DateTime::now());
                if let Err(error) = link.call(alarm).await {
                    eprintln!("the alarm was not told: {error}");
                }
            }
            let interval = self.state.borrow().report_interval.unwrap_or(10);
            tokio::time::sleep(Duration::from_secs(interval.unsigned_abs())).await;
        }
    }
}

// One thread is enough, and nothing has to be Send.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(std::io::stdout().is_terminal()).init();
    let Arguments { url, product_key, device_name, device_secret, data, interval } = Arguments::parse();
    let state =
        RefCell::new(Properties { report_interval: Some(interval), armed: Some(true), ..Properties::default() });
    let tracker = Tracker { state, hardware: Simulated::default() };

    let name = DeviceRef { product_key: &product_key, device_name: &device_name };
    let builder = Device::with_secret(&url, name, &device_secret, LoginOptions::default())?;
    let (builder, driver) = Driver::new(builder, Client::new(ClientConfig::default())?);
    let mut updates = update::open(&data).await?;
    let restart = |_module, version: String| {
        // It does not come back if all is well; the platform is told otherwise.
        let Err(error) = update::restart(&data, &version);
        eprintln!("not restarted: {error}");
    };
    let device = builder.build(&tracker)?;
    let link = device.link();
    tokio::select! {
        () = device.run() => {}
        () = tracker.report(&link) => {}
        () = driver.run(&mut updates, &link, restart) => {}
        _ = tokio::signal::ctrl_c() => println!("switched off"),
    }
    Ok(())
}
