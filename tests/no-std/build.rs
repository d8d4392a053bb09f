//! Generates the thing model of a charging pile.

fn main() -> Result<(), onwire_codegen::Error> {
    onwire_codegen::thing_model("pile")?.serde(false).to_out_dir("pile")
}
