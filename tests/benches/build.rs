//! Makes types from our schemas: those of typify, and for a thing model ours and typify's of the same 60 properties.

use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

/// Properties of the thing model.
const PROPERTIES: usize = 60;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let protocol = onwire_codegen::ocpp_1_6().only(["BootNotification", "MeterValues", "StatusNotification"]);
    fs::write(folder.join("typify.rs"), protocol.plain_code()?)?;

    let (mut model, mut schema) = (String::new(), String::new());
    for index in 0..PROPERTIES {
        let (data_type, property) = types(index);
        let comma = if index == 0 { "" } else { "," };
        write!(model, r#"{comma}{{"identifier":"Property{index}","dataType":{data_type}}}"#)?;
        write!(schema, r#"{comma}"Property{index}":{property}"#)?;
    }
    let path = folder.join("thing.json");
    fs::write(&path, format!(r#"{{"properties":[{model}]}}"#))?;
    fs::write(folder.join("thing.rs"), onwire_codegen::alink(&path)?.code()?)?;
    let schemas = folder.join("thing");
    fs::create_dir_all(&schemas)?;
    let object = |properties: &str| format!(r#"{{"type":"object","properties":{{{properties}}}}}"#);
    fs::write(schemas.join("PostRequest.json"), object(&schema))?;
    fs::write(schemas.join("PostResponse.json"), object(""))?;
    fs::write(folder.join("thing_typify.rs"), onwire_codegen::ocpp(&schemas)?.plain_code()?)?;
    Ok(())
}

/// The type of a property in a thing model and in JSON Schema: numbers for the most part, as machines post them.
fn types(index: usize) -> (&'static str, &'static str) {
    match index % 6 {
        0 | 1 => (r#"{"type":"float","specs":{"min":"0","max":"1000","step":"0.1"}}"#, r#"{"type":"number"}"#),
        2 | 3 => (r#"{"type":"int","specs":{"min":"0","max":"100000"}}"#, r#"{"type":"integer"}"#),
        4 => (r#"{"type":"text","specs":{"length":"32"}}"#, r#"{"type":"string","maxLength":32}"#),
        _ => (r#"{"type":"bool","specs":{"0":"off","1":"on"}}"#, r#"{"type":"integer"}"#),
    }
}
