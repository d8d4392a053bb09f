//! Writes the list of the image's messages, which `cargo xtask flash` chooses, as calls for `main.rs` to include.

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=ONWIRE_FLASH");
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    // link.x of cortex-m-rt includes it by name.
    println!("cargo::rustc-link-search={}", out_dir.display());
    fs::copy("memory.x", out_dir.join("memory.x"))?;

    if env::var_os("CARGO_FEATURE_ALINK").is_some() {
        let model = onwire_codegen::alink("../../schemas/thing/socket.json").map_err(io::Error::other)?;
        model.serde(false).to_out_dir("socket").map_err(io::Error::other)?;
    }

    // Such as `decode:ResetRequest encode:ResetResponse`; nothing makes the base.
    let messages = env::var("ONWIRE_FLASH").unwrap_or_default();
    let mut calls = String::from("{\n");
    for message in messages.split_whitespace() {
        if let Some((operation, name)) = message.split_once(':') {
            calls += &format!("{operation}_one::<v16::{name}>();\n");
        }
    }
    fs::write(out_dir.join("messages.rs"), calls + "}\n")
}
