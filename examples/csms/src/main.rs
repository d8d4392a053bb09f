//! A central system for OCPP 1.6-J charge points; `csms --help` explains it.

use std::process::ExitCode;

use csms::config::Arguments;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Arguments = clap::Parser::parse();
    match csms::run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("csms: {error:#}");
            ExitCode::FAILURE
        }
    }
}
