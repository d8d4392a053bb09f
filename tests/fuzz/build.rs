//! Generates the thing model that messages are read by.

fn main() -> Result<(), onwire_codegen::Error> {
    onwire_codegen::thing_model("socket")?.to_out_dir("socket")
}
