//! Generates `onwire::ocpp::v16`, `onwire::alink::system` and the topics of Alink.

fn main() -> Result<(), onwire_codegen::Error> {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_OCPP16").is_some() {
        let serde = std::env::var_os("CARGO_FEATURE_SERDE").is_some();
        onwire_codegen::ocpp_1_6().serde(serde).to_out_dir("ocpp_v16")?;
    }
    if std::env::var_os("CARGO_FEATURE_ALINK").is_some() {
        let serde = std::env::var_os("CARGO_FEATURE_SERDE").is_some();
        onwire_codegen::alink_system().serde(serde).to_out_dir("alink_system")?;
        onwire_codegen::alink_topics().to_out_dir("alink_topics")?;
    }
    Ok(())
}
