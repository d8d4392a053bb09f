//! Generates the protocols that the tests use: a thing model, and one with a message that is never answered.

fn main() -> Result<(), onwire_codegen::Error> {
    onwire_codegen::alink("models/charger.json")?.to_out_dir("charger")?;
    onwire_codegen::ocpp("models/stream")?.to_out_dir("stream")
}
