//! Makes typify's types from our schemas.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let protocol = onwire_codegen::ocpp_1_6().only(["BootNotification", "MeterValues", "StatusNotification"]);
    fs::write(folder.join("typify.rs"), protocol.plain_code()?)?;
    Ok(())
}
