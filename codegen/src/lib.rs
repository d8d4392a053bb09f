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
//! - [`ocpp_1_6`]: OCPP 1.6 from `onwire-schemas`; [`ocpp_2_0_1`] and [`ocpp_2_1`]: a folder of that version's official
//!   schemas with our index.
//! - [`alink`]: a thing model (TSL) of Aliyun IoT: its properties, events and services. [`alink_system`]: the messages that
//!   every device has beside it.
//! - [`topics`]: a table of a broker's topics, of which the router is made that tells them apart; [`alink_topics`]: Alink's.
//!
//! The same input gives the same bytes.

mod alink;
mod emit;
mod error;
mod inline;
mod model;
mod names;
mod ocpp;
mod overlay;
#[cfg(feature = "typify")]
mod plain;
mod secrets;
mod topics;

use std::path::{Path, PathBuf};

pub use error::Error;

/// What is to be generated: an input, and how.
#[derive(Debug, Clone)]
pub struct Generator {
    source: Source,
    options: emit::Options,
    only: Option<Vec<String>>,
    /// Further secret properties.
    secrets: Vec<String>,
    /// Files and folders that the output depends on.
    inputs: Vec<PathBuf>,
}

#[derive(Debug, Clone)]
enum Source {
    /// Files by name.
    Ocpp(Vec<(String, String)>),
    /// A thing model.
    Alink { file: String, text: String },
    /// A table of topics.
    Topics { file: String, text: String },
}

/// Reads a folder of OCPP JSON Schemas.
///
/// `X.json` or `XRequest.json` with `XResponse.json` make the action `X`; a file without a response is a message that is
/// never answered (SEND, OCPP 2.1), other files hold shared definitions. `index.json` names the roles, the subprotocols
/// and who may start each action; without it both sides (`ChargePoint` and `CentralSystem`) may start every action.
///
/// With `"framing": "alink"` the index makes a protocol of Alink messages: an action's `method` is its name on the wire, and
/// a message with the keyword `x-onwire-field` may be a list, a map or another type, which that field holds.
///
/// # Errors
/// [`Error::Io`], [`Error::Folder`].
pub fn ocpp(folder: impl AsRef<Path>) -> Result<Generator, Error> {
    let folder = folder.as_ref();
    Ok(Generator::new(Source::Ocpp(ocpp::read_folder(folder)?), vec![folder.to_owned()]))
}

/// OCPP 1.6 with its security extension, from the schemas that `onwire-schemas` carries.
pub fn ocpp_1_6() -> Generator {
    let files = onwire_schemas::OCPP_1_6.iter().map(|file| (file.name.to_owned(), file.text.to_owned()));
    Generator::new(Source::Ocpp(files.collect()), Vec::new())
}

/// The system messages of Alink, which every device has beside its thing model, from the schemas that `onwire-schemas`
/// carries; [`alink`] makes the thing model's own.
pub fn alink_system() -> Generator {
    let files = onwire_schemas::ALINK.iter().map(|file| (file.name.to_owned(), file.text.to_owned()));
    Generator::new(Source::Ocpp(files.collect()), Vec::new())
}

/// Reads a folder of the official schemas of OCPP 2.0.1; roles and directions are those of our index.
///
/// # Errors
/// [`Error::Io`], [`Error::Folder`].
pub fn ocpp_2_0_1(folder: impl AsRef<Path>) -> Result<Generator, Error> {
    with_index(folder.as_ref(), onwire_schemas::OCPP_2_0_1_INDEX)
}

/// Reads a folder of the official schemas of OCPP 2.1; roles and directions are those of our index.
///
/// # Errors
/// [`Error::Io`], [`Error::Folder`].
pub fn ocpp_2_1(folder: impl AsRef<Path>) -> Result<Generator, Error> {
    with_index(folder.as_ref(), onwire_schemas::OCPP_2_1_INDEX)
}

fn with_index(folder: &Path, index: onwire_schemas::File) -> Result<Generator, Error> {
    let mut files = ocpp::read_folder(folder)?;
    files.push((index.name.to_owned(), index.text.to_owned()));
    Ok(Generator::new(Source::Ocpp(files), vec![folder.to_owned()]))
}

/// Reads a thing model (TSL) of Aliyun IoT: as the console exports it, simplified, or that of a custom module.
///
/// - All properties together are `Properties`, in which each may be absent. `PropertySet` and `PropertyGet` are actions that
///   the platform starts, `PropertyPost` one that the device does; its request says when each property was so.
/// - Each event `X` is an action that the device starts. What it tells is `XOutput`; its request has the time too.
/// - Each service `Y` is an action that the platform starts, with `YRequest` and `YResponse`.
/// - Each struct and enumeration is a type, named by its identifier, and by its owner too where identifiers clash.
///
/// Identifiers that cannot be Rust names become such (`meter:Power` is the field `meter_power`); of two that are spelled
/// alike then, the later one gets a number. Limits are checked on sending and receiving: ranges, steps, the length of text
/// (in characters) and the size of arrays. A step counts from zero; it is not checked where the lower limit is no multiple
/// of it, nor is a limit that no number of 18 digits can break, such as the largest `double`.
///
/// Where a module's name stands in an exported file is not verified: `functionBlockId` is understood at the top and in the
/// entries of `functionBlocks`.
///
/// # Errors
/// [`Error::Io`].
pub fn alink(file: impl AsRef<Path>) -> Result<Generator, Error> {
    let file = file.as_ref();
    let text = std::fs::read_to_string(file).map_err(|source| Error::Io { path: file.to_owned(), source })?;
    Ok(Generator::new(Source::Alink { file: file.display().to_string(), text }, vec![file.to_owned()]))
}

/// A thing model that is at hand as text; errors name it by `name`.
pub fn alink_text(name: &str, text: &str) -> Generator {
    Generator::new(Source::Alink { file: name.to_owned(), text: text.to_owned() }, Vec::new())
}

/// A thing model that `onwire-schemas` carries, by its name: `pile`, `socket` or `tracker`.
///
/// # Errors
/// [`Error::Folder`] if there is none of that name.
pub fn thing_model(name: &str) -> Result<Generator, Error> {
    let file = onwire_schemas::THING.iter().find(|file| file.name.strip_suffix(".json") == Some(name));
    let file = file.ok_or_else(|| {
        let known: Vec<&str> = onwire_schemas::THING.iter().map(|file| file.name).collect();
        Error::Folder { file: format!("{name}.json"), problem: format!("no such thing model; there are {known:?}") }
    })?;
    Ok(Generator::new(Source::Alink { file: file.name.to_owned(), text: file.text.to_owned() }, Vec::new()))
}

/// Reads a table of topics, as `schemas/topics` of `onwire-schemas` has them and its README describes.
///
/// What is generated is the type `Topic` with a variant for each topic, and what there is to know of it: who publishes there,
/// where the answer belongs, which method's calls go there; and which filters each side subscribes to. Rows are tried from the
/// most special to the most general. A table is refused in which two rows claim one topic, and neither is the more special.
///
/// # Errors
/// [`Error::Io`].
pub fn topics(file: impl AsRef<Path>) -> Result<Generator, Error> {
    let file = file.as_ref();
    let text = std::fs::read_to_string(file).map_err(|source| Error::Io { path: file.to_owned(), source })?;
    Ok(Generator::new(Source::Topics { file: file.display().to_string(), text }, vec![file.to_owned()]))
}

/// A table of topics that is at hand as text; errors name it by `name`.
pub fn topics_text(name: &str, text: &str) -> Generator {
    Generator::new(Source::Topics { file: name.to_owned(), text: text.to_owned() }, Vec::new())
}

/// The topics of Alink, from the table that `onwire-schemas` carries.
pub fn alink_topics() -> Generator {
    let file = onwire_schemas::ALINK_TOPICS;
    Generator::new(Source::Topics { file: file.name.to_owned(), text: file.text.to_owned() }, Vec::new())
}

impl Generator {
    fn new(source: Source, inputs: Vec<PathBuf>) -> Self {
        Self {
            source,
            options: emit::Options { serde: true, derives: Vec::new() },
            only: None,
            secrets: Vec::new(),
            inputs,
        }
    }

    /// Changes schemas of an OCPP folder: each file of `folder` is a JSON merge patch (RFC 7396) of the schema file of
    /// its name. So a vendor's field becomes typed:
    ///
    /// ```json
    /// {"properties": {"customData": {"type": "object", "properties": {"networkType": {"type": "string"}}}}}
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Json`], and [`Error::Folder`] for a file that patches nothing.
    pub fn overlays(mut self, folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let patches = ocpp::read_folder(folder)?;
        let files = match &mut self.source {
            Source::Ocpp(files) => files.as_mut_slice(),
            Source::Alink { .. } | Source::Topics { .. } => &mut [],
        };
        overlay::apply(files, &patches)?;
        self.inputs.push(folder.to_owned());
        Ok(self)
    }

    /// Whether the types implement serde's traits (they do by default). Needs the feature `serde` of onwire.
    #[must_use]
    pub fn serde(mut self, serde: bool) -> Self {
        self.options.serde = serde;
        self
    }

    /// Derives another trait for every type, by its path: `"PartialOrd"`, `"::arbitrary::Arbitrary"` (which needs the
    /// feature `arbitrary` of onwire).
    ///
    /// # Errors
    /// [`Error::Derive`] if it is no path.
    pub fn derive(mut self, path: &str) -> Result<Self, Error> {
        syn::parse_str::<syn::Path>(path).map_err(|_| Error::Derive(path.to_owned()))?;
        self.options.derives.push(path.to_owned());
        Ok(self)
    }

    /// Only these actions, by their names on the wire, and the types that they need. A table of topics stays whole.
    #[must_use]
    pub fn only<'a>(mut self, actions: impl IntoIterator<Item = &'a str>) -> Self {
        self.only = Some(actions.into_iter().map(str::to_owned).collect());
        self
    }

    /// Properties, by their names on the wire, whose values logs mask, beside those that the schemas mark
    /// (`"writeOnly": true`, or the format `password` or `secret`) and those whose names end in `password` or `secret`. A
    /// thing model has no notation for it.
    #[must_use]
    pub fn secrets<'a>(mut self, properties: impl IntoIterator<Item = &'a str>) -> Self {
        self.secrets.extend(properties.into_iter().map(str::to_owned));
        self
    }

    /// The generated Rust, formatted.
    ///
    /// # Errors
    /// [`Error`] names the file and the JSON pointer, and says what to do.
    pub fn code(&self) -> Result<String, Error> {
        let mut protocol = match &self.source {
            Source::Ocpp(files) => ocpp::protocol(files)?,
            Source::Alink { file, text } => alink::protocol(file, text)?,
            Source::Topics { file, text } => return topics::code(file, text, &self.options),
        };
        if let Some(only) = &self.only {
            protocol.keep_only(only)?;
        }
        protocol.secrets.properties.extend(self.secrets.iter().cloned());
        if protocol.framing == model::Framing::Alink {
            protocol.secrets.add_alink_system();
        }
        Ok(emit::code(&protocol, &self.options))
    }

    /// The plain flavour: the same messages as types with serde's derives only, made by typify. They keep fewer of the
    /// schema's limits, and need the crates that typify's output names (`serde`, `serde_json`, `chrono`, `regress`).
    ///
    /// # Errors
    /// [`Error`]; a thing model has no schemas.
    #[cfg(feature = "typify")]
    pub fn plain_code(&self) -> Result<String, Error> {
        match &self.source {
            Source::Ocpp(files) => {
                let mut definitions = ocpp::definitions(files)?;
                if let Some(only) = &self.only {
                    plain::keep_only(&mut definitions, only)?;
                }
                plain::code(definitions, &self.options.derives)
            }
            Source::Alink { file, .. } => {
                Err(Error::Folder { file: file.clone(), problem: "a thing model has no plain flavour".to_owned() })
            }
            Source::Topics { file, .. } => {
                Err(Error::Folder { file: file.clone(), problem: "a table of topics has no plain flavour".to_owned() })
            }
        }
    }

    /// Writes `OUT_DIR/{name}.rs` from a build script, and tells cargo which inputs it was made from.
    ///
    /// # Errors
    /// [`Error::NotABuildScript`], and those of [`Generator::code`].
    pub fn to_out_dir(&self, name: &str) -> Result<(), Error> {
        let folder = std::env::var_os("OUT_DIR").ok_or(Error::NotABuildScript)?;
        let path = PathBuf::from(folder).join(format!("{name}.rs"));
        std::fs::write(&path, self.code()?).map_err(|source| Error::Io { path, source })?;
        println!("cargo::rerun-if-changed=build.rs");
        for input in &self.inputs {
            println!("cargo::rerun-if-changed={}", input.display());
        }
        Ok(())
    }
}
