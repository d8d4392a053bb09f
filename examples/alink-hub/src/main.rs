//! A platform of one's own for devices that speak Alink; `alink-hub --help` explains it.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: alink_hub::config::Arguments = clap::Parser::parse();
    match alink_hub::run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("alink-hub: {error:#}");
            ExitCode::FAILURE
        }
    }
}
