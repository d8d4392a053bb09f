//! Updates of this very program: a file plays the flash, and a restart is the new image in place of the old one.

use std::convert::Infallible;
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use embedded_storage_async::nor_flash::ReadNorFlash;
use onwire_firmware::ota::{Config, FlashUpdater, HandOver, Image, Module, Updates};
use onwire_firmware::storage::FileFlash;

/// The environment variable that tells a new image which version it is; an image on flash has it inside.
const VERSION: &str = "ALINK_FIRMWARE_VERSION";

/// The flash: 8 pages of journal, and 64 MiB for an image.
const PAGES: u32 = 8 + 16 * 1024;
const JOURNAL: u32 = 8 * 4096;

/// Where images become programs.
#[derive(Debug)]
pub(crate) struct Programs {
    folder: PathBuf,
}

impl HandOver<FileFlash> for Programs {
    type Error = io::Error;

    async fn hand_over(&mut self, _: &Image, flash: &mut FileFlash, at: Range<u32>) -> io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        let mut program = options.write(true).create(true).truncate(true).mode(0o755).open(program(&self.folder))?;
        let mut page = [0; 4096];
        for from in at.clone().step_by(page.len()) {
            let length = page.len().min((at.end - from) as usize);
            let page = page.get_mut(..length).unwrap_or_default();
            flash.read(from, page).await.map_err(io::Error::other)?;
            program.write_all(page)?;
        }
        program.sync_all()
    }
}

fn program(folder: &Path) -> PathBuf {
    folder.join("alink-device.image")
}

/// What is known of updates, in this folder.
pub(crate) async fn open(folder: &Path) -> anyhow::Result<Updates<FlashUpdater<FileFlash, Programs>>> {
    std::fs::create_dir_all(folder)?;
    let flash = FileFlash::open(folder.join("flash"), PAGES)?;
    let programs = Programs { folder: folder.to_owned() };
    let updater = FlashUpdater::new(flash, 0..JOURNAL, JOURNAL..PAGES * 4096, programs);
    let version = std::env::var(VERSION).unwrap_or_else(|_| env!("CARGO_PKG_VERSION").to_owned());
    let modules = vec![Module::new("default", version)];
    Ok(Updates::open(updater.context("pages of another size")?, modules, Config::default()).await?)
}

/// Runs the new image in place of this one; it comes back only if that cannot be.
pub(crate) fn restart(folder: &Path, version: &str) -> Result<Infallible, io::Error> {
    println!("restarting as version {version}");
    Err(Command::new(program(folder)).args(std::env::args_os().skip(1)).env(VERSION, version).exec())
}
