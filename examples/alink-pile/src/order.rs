//! The order that is charged for, in a file that plays flash: it is paid for whatever happens to the power.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use onwire::codec::{Message, Quirks, decode, encode};
use onwire::types::DateTime;
use onwire_firmware::outbox::FilePostbox;

use crate::pile::{Charging, OrderUploadOutput, StopReason};

/// The order as it is to be uploaded if the power fails now. It is there from before the contactor closes until the upload is in
/// the outbox.
pub(crate) struct Kept(pub(crate) PathBuf);

impl Kept {
    /// What was under way when the power failed.
    pub(crate) fn read(&self) -> anyhow::Result<Option<OrderUploadOutput>> {
        match std::fs::read_to_string(&self.0) {
            Ok(text) => {
                let order = decode(&text, Quirks::NONE).with_context(|| format!("{} is no order", self.0.display()))?;
                Ok(Some(order))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", self.0.display())),
        }
    }

    /// Returns when it is durable: a cut leaves the order as it was before, or this one.
    pub(crate) fn write(&self, order: &OrderUploadOutput) -> anyhow::Result<()> {
        let (mut text, part) = (String::new(), self.0.with_extension("part"));
        encode(order, &mut text)?;
        let mut file = File::create(&part)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&part, &self.0)?;
        self.sync_folder()
    }

    /// Puts the order that is there, if there is one, into the outbox, as soon as that takes it.
    pub(crate) async fn uploaded(&self, outbox: &FilePostbox, interval: Duration) {
        while let Err(error) = self.upload(outbox).await {
            eprintln!("an order is not uploaded yet: {error:#}");
            tokio::time::sleep(interval).await;
        }
    }

    /// A cut in between puts it there twice, with the same time: the platform takes it once.
    async fn upload(&self, outbox: &FilePostbox) -> anyhow::Result<()> {
        let Some(order) = self.read()? else { return Ok(()) };
        let (number, energy, ended_at) = (order.order_no.clone(), order.energy, order.ended_at);
        outbox.push(&order.at(ended_at)).await?;
        println!("order {number}: {energy} Wh");
        std::fs::remove_file(&self.0)?;
        self.sync_folder()
    }

    fn sync_folder(&self) -> anyhow::Result<()> {
        let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty());
        Ok(File::open(folder.unwrap_or(".".as_ref()))?.sync_all()?)
    }
}

/// The order, as it is paid for if it ends now.
pub(crate) fn ended(charging: &Charging, stop_reason: StopReason) -> OrderUploadOutput {
    let mut order = OrderUploadOutput::blank();
    (order.order_no, order.gun, order.started_by) =
        (charging.order_no.clone(), charging.gun, charging.started_by.clone());
    (order.started_at, order.ended_at) = (charging.started_at, DateTime::now());
    order.duration = (order.ended_at.unix_millis() - order.started_at.unix_millis()) / 1000;
    (order.meter_start, order.meter_end, order.energy) = (charging.meter_start, charging.meter_now, charging.energy);
    (order.stop_reason, order.uploads) = (stop_reason, 1);
    order
}
