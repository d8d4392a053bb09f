//! Types and actions of the pile's thing model.

fn main() -> Result<(), onwire_codegen::Error> {
    onwire_codegen::alink("../../schemas/thing/pile.json")?.serde(false).to_out_dir("pile")
}
