//! Generates the protocols that the tests use: thing models, one with a message that is never answered, and one
//! of two schemas and nothing else.

fn main() -> Result<(), onwire_codegen::Error> {
    onwire_codegen::alink("models/charger.json")?.to_out_dir("charger")?;
    onwire_codegen::alink("models/odd.json")?.to_out_dir("odd")?;
    for name in ["pile", "socket", "tracker"] {
        onwire_codegen::thing_model(name)?.to_out_dir(name)?;
    }
    onwire_codegen::ocpp("models/bare")?.to_out_dir("bare")?;
    onwire_codegen::ocpp("models/stream")?.to_out_dir("stream")
}
