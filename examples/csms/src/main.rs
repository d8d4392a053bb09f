//! A central system for OCPP 1.6-J charge points; its state lives in memory.

mod handlers;
mod state;

use anyhow::Context;
use clap::Parser;
use onwire::net::Server;
use tracing_subscriber::EnvFilter;

/// Serves OCPP 1.6-J charge points.
#[derive(Debug, Parser)]
struct Arguments {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "HOST:PORT")]
    listen: String,
    /// A tag that may charge; repeat it for more. Without any, every tag may.
    #[arg(long = "id-tag", value_name = "TAG")]
    id_tags: Vec<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let arguments = Arguments::parse();
    let server =
        Server::bind(&arguments.listen).await.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    println!("charge points connect to ws://{}/ocpp/{{identity}}", server.local_addr()?);
    let csms = handlers::Csms::new(arguments.id_tags.iter().map(|tag| tag.as_str().into()));
    tokio::select! {
        served = server.serve(csms) => served?,
        _ = tokio::signal::ctrl_c() => println!("stopped"),
    }
    Ok(())
}
