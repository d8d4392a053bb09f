//! Generates the thing model that this hub has typed handlers for.

fn main() -> Result<(), onwire_codegen::Error> {
    onwire_codegen::thing_model("socket")?.to_out_dir("socket")
}
