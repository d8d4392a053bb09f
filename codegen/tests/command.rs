//! The command.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]
#![cfg(feature = "cli")]

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_onwire-codegen")).args(arguments).output().unwrap()
}

#[test]
fn a_folder_becomes_a_file() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sale");
    let printed = run(&["ocpp", folder]);
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let target = concat!(env!("CARGO_TARGET_TMPDIR"), "/sale.rs");
    assert!(run(&["ocpp", folder, "-o", target]).status.success());
    assert_eq!(std::fs::read(target).unwrap(), printed.stdout);
    let plain = String::from_utf8(run(&["ocpp", folder, "--no-serde", "--only", "Sale"]).stdout).unwrap();
    assert!(plain.contains("pub struct SaleRequest") && !plain.contains("serde"), "{plain}");
}

#[test]
fn a_thing_model_becomes_a_file() {
    let model = concat!(env!("CARGO_TARGET_TMPDIR"), "/command-lamp.json");
    std::fs::write(model, r#"{"properties":[{"identifier":"Level","dataType":{"type":"int"}}]}"#).unwrap();
    let code = String::from_utf8(run(&["alink", model]).stdout).unwrap();
    assert!(code.contains("pub struct PropertyPostRequest"), "{code}");
    std::fs::write(model, r#"{"properties":[{"identifier":"Level","dataType":{"type":"integer"}}]}"#).unwrap();
    let said = String::from_utf8(run(&["alink", model]).stderr).unwrap();
    let says = format!("onwire-codegen: {model}#/properties/0/dataType/type: the data type \"integer\" is unknown; ");
    assert!(said.starts_with(&says), "{said}");
}

#[test]
fn mistakes_are_told_in_a_line() {
    for (arguments, says) in [
        (&["ocpp", "/nowhere"][..], "onwire-codegen: /nowhere: "),
        (&["json", "x"][..], "onwire-codegen: \"json\" is no notation"),
        (&["ocpp"][..], "onwire-codegen: expected a notation and an input"),
        (&["ocpp", "x", "--colour"][..], "onwire-codegen: invalid option '--colour'"),
    ] {
        let output = run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.starts_with(says), "{said}");
    }
}
