//! Generates the three versions from the folders that `ONWIRE_OCPP_SCHEMAS` names, if it is set.

use std::path::PathBuf;

fn main() -> Result<(), onwire_codegen::Error> {
    println!("cargo::rerun-if-env-changed=ONWIRE_OCPP_SCHEMAS");
    println!("cargo::rustc-check-cfg=cfg(schemas)");
    let Some(folder) = std::env::var_os("ONWIRE_OCPP_SCHEMAS").map(PathBuf::from) else { return Ok(()) };
    println!("cargo::rustc-cfg=schemas");
    onwire_codegen::ocpp(folder.join("v16/schemas"))?.to_out_dir("v16")?;
    onwire_codegen::ocpp_2_0_1(folder.join("v201/schemas"))?.to_out_dir("v201")?;
    onwire_codegen::ocpp_2_1(folder.join("v21/schemas"))?.to_out_dir("v21")?;
    plain()
}

/// The plain flavour of our own schemas, to compare with.
#[cfg(feature = "interop")]
fn plain() -> Result<(), onwire_codegen::Error> {
    let path = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("plain.rs");
    let code = onwire_codegen::ocpp_1_6().plain_code()?;
    std::fs::write(&path, code).map_err(|source| onwire_codegen::Error::Io { path, source })
}

#[cfg(not(feature = "interop"))]
fn plain() -> Result<(), onwire_codegen::Error> {
    Ok(())
}
