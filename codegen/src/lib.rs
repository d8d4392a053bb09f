//! Generates typed Rust messages, their codec and the action table of a protocol.
//!
//! A front-end reads the protocol's own notation into one model; one back-end writes Rust from it. Call it from a build
//! script; the text goes to `OUT_DIR`, and `onwire::include_protocol!` brings it into a module:
//!
//! ```no_run
//! // build.rs
//! fn main() -> Result<(), onwire_codegen::Error> {
//!     onwire_codegen::ocpp("schemas")?.to_out_dir("till")
//! }
//! ```
//!
//! - [`ocpp`]: a folder of JSON Schemas, one file for each request and response, as the Open Charge Alliance publishes
//!   them, with an optional `index.json` that says who may start which action.
//! - [`ocpp_1_6`]: OCPP 1.6 from `onwire-schemas`.
//! - [`alink`]: a thing model (TSL) as Aliyun IoT exports it; its services.
//!
//! The same input gives the same bytes.

mod alink;
mod emit;
mod error;
mod model;
mod names;
mod ocpp;

use std::path::{Path, PathBuf};

pub use error::Error;

/// A protocol that was read, ready to be written as Rust.
#[derive(Debug, Clone)]
pub struct Generator {
    protocol: model::Protocol,
    options: emit::Options,
    inputs: Vec<PathBuf>,
}

/// Reads a folder of OCPP JSON Schemas.
///
/// `X.json` or `XRequest.json` with `XResponse.json` make the action `X`; other files hold shared definitions.
/// `index.json` names the roles, the subprotocols and who may start each action; without it both sides (`ChargePoint`
/// and `CentralSystem`) may start every action.
///
/// # Errors
/// [`Error`] names the file and the JSON pointer.
pub fn ocpp(folder: impl AsRef<Path>) -> Result<Generator, Error> {
    let folder = folder.as_ref();
    let files = ocpp::read_folder(folder)?;
    Ok(Generator::new(ocpp::protocol(&files)?, vec![folder.to_owned()]))
}

/// OCPP 1.6 with its security extension, from the schemas that `onwire-schemas` carries.
///
/// # Errors
/// [`Error`], which would be a defect of this crate.
pub fn ocpp_1_6() -> Result<Generator, Error> {
    let files: Vec<(String, String)> =
        onwire_schemas::OCPP_1_6.iter().map(|file| (file.name.to_owned(), file.text.to_owned())).collect();
    Ok(Generator::new(ocpp::protocol(&files)?, Vec::new()))
}

/// Reads a thing model (TSL) as Aliyun IoT exports it: each service becomes an action that the platform starts.
///
/// # Errors
/// [`Error`] names the file and the JSON pointer.
pub fn alink(file: impl AsRef<Path>) -> Result<Generator, Error> {
    let file = file.as_ref();
    let text = std::fs::read_to_string(file).map_err(|source| Error::Io { path: file.to_owned(), source })?;
    Ok(Generator::new(alink::protocol(&file.display().to_string(), &text)?, vec![file.to_owned()]))
}

impl Generator {
    fn new(protocol: model::Protocol, inputs: Vec<PathBuf>) -> Self {
        Self { protocol, options: emit::Options { serde: true }, inputs }
    }

    /// Whether the types implement serde's traits (they do by default). Needs the feature `serde` of onwire.
    #[must_use]
    pub fn serde(mut self, serde: bool) -> Self {
        self.options.serde = serde;
        self
    }

    /// Only these actions, by their names on the wire, and the types they need.
    ///
    /// # Errors
    /// [`Error::Folder`] for an action that the protocol does not have.
    pub fn only<'a>(mut self, actions: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        self.protocol.keep_only(&actions.into_iter().collect::<Vec<_>>())?;
        Ok(self)
    }

    /// The generated Rust, formatted.
    pub fn code(&self) -> String {
        emit::code(&self.protocol, &self.options)
    }

    /// Writes `OUT_DIR/{name}.rs` from a build script, and tells cargo which inputs it was made from.
    ///
    /// # Errors
    /// [`Error::NotABuildScript`], [`Error::Io`].
    pub fn to_out_dir(&self, name: &str) -> Result<(), Error> {
        let folder = std::env::var_os("OUT_DIR").ok_or(Error::NotABuildScript)?;
        let path = PathBuf::from(folder).join(format!("{name}.rs"));
        std::fs::write(&path, self.code()).map_err(|source| Error::Io { path, source })?;
        println!("cargo::rerun-if-changed=build.rs");
        for input in &self.inputs {
            println!("cargo::rerun-if-changed={}", input.display());
        }
        Ok(())
    }
}
