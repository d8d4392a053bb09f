fn main() -> Result<(), onwire_codegen::Error> {
    onwire_codegen::ocpp("schemas")?.to_out_dir("till")
}
