//! The thing model that devices and platform speak.

fn main() -> Result<(), onwire_codegen::Error> {
    onwire_codegen::alink("../../schemas/thing/tracker.json")?.to_out_dir("tracker")
}
