//! Generates the thing model that the tests use.

fn main() -> Result<(), onwire_codegen::Error> {
    onwire_codegen::alink("models/charger.json")?.to_out_dir("charger")
}
