//! The generator as a command, for a look at what it makes of a folder: `onwire-codegen ocpp DIR -o FILE`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;

const USAGE: &str = "\
usage: onwire-codegen ocpp DIR   [options]   a folder of OCPP JSON Schemas
       onwire-codegen alink FILE [options]   a thing model of Aliyun IoT
       onwire-codegen topics FILE [options]  a table of topics
options:
  -o, --output FILE   where to write; standard output otherwise
  --only A,B          only these actions and the types that they need
  --secrets A,B       further properties whose values logs mask
  --overlays DIR      JSON merge patches of schema files, by the same names
  --derive PATH       derive another trait; may be repeated
  --no-serde          without serde's traits
  --plain             plain serde types by typify, without onwire (a build with the feature `typify`)
  -h, --help          this text";

struct Arguments {
    notation: String,
    input: PathBuf,
    output: Option<PathBuf>,
    only: Option<String>,
    secrets: Option<String>,
    overlays: Option<PathBuf>,
    derives: Vec<String>,
    plain: bool,
    serde: bool,
}

fn main() -> ExitCode {
    match arguments().map(|arguments| arguments.map(|arguments| run(&arguments))) {
        Ok(None) => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Ok(Some(Ok(()))) => ExitCode::SUCCESS,
        Ok(Some(Err(error))) => fail(&error.to_string()),
        Err(error) => fail(&format!("{error}\n{USAGE}")),
    }
}

fn fail(message: &str) -> ExitCode {
    eprintln!("onwire-codegen: {message}");
    ExitCode::FAILURE
}

/// `None` if help was asked for.
fn arguments() -> Result<Option<Arguments>, lexopt::Error> {
    let (mut values, mut output, mut only, mut serde) = (Vec::new(), None, None, true);
    let (mut overlays, mut secrets, mut derives, mut plain) = (None, None, Vec::new(), false);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Short('o') | Long("output") => output = Some(parser.value()?.into()),
            Long("only") => only = Some(parser.value()?.string()?),
            Long("secrets") => secrets = Some(parser.value()?.string()?),
            Long("overlays") => overlays = Some(parser.value()?.into()),
            Long("derive") => derives.push(parser.value()?.string()?),
            Long("no-serde") => serde = false,
            Long("plain") => plain = true,
            Value(value) => values.push(value),
            other => return Err(other.unexpected()),
        }
    }
    let Ok([notation, input]) = <[_; 2]>::try_from(values) else {
        return Err("expected a notation and an input".into());
    };
    Ok(Some(Arguments {
        notation: notation.string()?,
        input: input.into(),
        output,
        only,
        secrets,
        overlays,
        derives,
        plain,
        serde,
    }))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let generator = match arguments.notation.as_str() {
        "ocpp" => onwire_codegen::ocpp(&arguments.input)?,
        "alink" => onwire_codegen::alink(&arguments.input)?,
        "topics" => onwire_codegen::topics(&arguments.input)?,
        other => return Err(format!("{other:?} is no notation; there are ocpp, alink and topics").into()),
    };
    let mut generator = generator.serde(arguments.serde);
    if let Some(only) = &arguments.only {
        generator = generator.only(only.split(','));
    }
    if let Some(secrets) = &arguments.secrets {
        generator = generator.secrets(secrets.split(','));
    }
    if let Some(overlays) = &arguments.overlays {
        generator = generator.overlays(overlays)?;
    }
    for path in &arguments.derives {
        generator = generator.derive(path)?;
    }
    let code = if arguments.plain { plain(&generator)? } else { generator.code()? };
    match &arguments.output {
        Some(path) => std::fs::write(path, code).map_err(|error| format!("{}: {error}", path.display()))?,
        None => std::io::stdout().write_all(code.as_bytes())?,
    }
    Ok(())
}

#[cfg(feature = "typify")]
fn plain(generator: &onwire_codegen::Generator) -> Result<String, onwire_codegen::Error> {
    generator.plain_code()
}

#[cfg(not(feature = "typify"))]
fn plain(_: &onwire_codegen::Generator) -> Result<String, String> {
    Err("this build has no plain flavour; build it with the feature `typify`".to_owned())
}
