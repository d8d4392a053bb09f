//! Generates our OCPP 1.6 with `Arbitrary`, and the three versions from the folders that `ONWIRE_OCPP_SCHEMAS` names, if
//! it is set.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use onwire_codegen::Error;

/// What makes random values of every type.
const ARBITRARY: &str = "::arbitrary::Arbitrary";

fn main() -> Result<(), Error> {
    println!("cargo::rerun-if-env-changed=ONWIRE_OCPP_SCHEMAS");
    println!("cargo::rustc-check-cfg=cfg(schemas)");
    onwire_codegen::ocpp_1_6().derive(ARBITRARY)?.to_out_dir("ours16")?;
    cases(Path::new("../../schemas/ocpp1.6"), "ours16_cases")?;
    let Some(folder) = std::env::var_os("ONWIRE_OCPP_SCHEMAS").map(PathBuf::from) else { return Ok(()) };
    println!("cargo::rustc-cfg=schemas");
    onwire_codegen::ocpp(folder.join("v16/schemas"))?.to_out_dir("v16")?;
    onwire_codegen::ocpp_2_0_1(folder.join("v201/schemas"))?.derive(ARBITRARY)?.to_out_dir("v201")?;
    cases(&folder.join("v201/schemas"), "v201_cases")?;
    onwire_codegen::ocpp_2_1(folder.join("v21/schemas"))?.to_out_dir("v21")?;
    plain()
}

/// The messages of a folder as an expression: `vec![case!(AuthorizeRequest, "Authorize"), ..]`.
fn cases(folder: &Path, name: &str) -> Result<(), Error> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io(folder))? {
        let path = entry.map_err(io(folder))?.path();
        files.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    files.retain(|file| !matches!(file.as_str(), "index" | "types"));
    files.sort_unstable();
    let mut code = String::from("vec![\n");
    for file in &files {
        // The folders of 1.6 name a request by its action alone.
        let request = if file.ends_with("Request") || file.ends_with("Response") { "" } else { "Request" };
        let _ = writeln!(code, "case!({file}{request}, {file:?}),");
    }
    code.push(']');
    out(&format!("{name}.rs"), &code)
}

/// The plain flavour of our own schemas, to compare with.
#[cfg(feature = "interop")]
fn plain() -> Result<(), Error> {
    out("plain.rs", &onwire_codegen::ocpp_1_6().plain_code()?)
}

#[cfg(not(feature = "interop"))]
fn plain() -> Result<(), Error> {
    Ok(())
}

fn out(name: &str, code: &str) -> Result<(), Error> {
    let path = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join(name);
    std::fs::write(&path, code).map_err(|source| Error::Io { path, source })
}
