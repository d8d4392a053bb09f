//! Types and actions of the tracker's thing model.

fn main() -> Result<(), onwire_codegen::Error> {
    onwire_codegen::alink("../../schemas/thing/tracker.json")?.serde(false).to_out_dir("tracker")
}
