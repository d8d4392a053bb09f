//! A platform of one's own for devices that speak Alink over MQTT.
//!
//! | module | what is there |
//! |---|---|
//! | `config` | flags, environment, TOML file |
//! | `server` | from start to graceful end |
//! | `model` | thing models (TSL) that are read at start, and values judged by them |
//! | `front`, `mqtt`, `link`, `entered` | where devices come from; between the runtime and the rest; who is connected; who may be |
//! | `metrics` | what is counted |
//! | `platform` | what devices say, and what they are answered |
//! | `typed` | typed handlers for a model that is compiled in |
//! | `store` | the database: SQLite or PostgreSQL |
//! | `api` | REST: `/api/v1` and its OpenAPI document; files that devices fetch |
//! | `web` | the page |
//! | `changes` | requests that change something, each run to its end |
//! | `security` | secrets at rest, API tokens, who changed what |
//! | `durable` | small files that are there whole or not at all |

mod api;
mod app;
mod changes;
pub mod config;
mod durable;
mod entered;
mod front;
mod link;
mod live;
mod metrics;
mod model;
mod mqtt;
mod open_files;
mod platform;
mod security;
mod server;
mod serving;
mod store;
mod time;
mod typed;
mod web;

/// Does what the command line asks for.
///
/// # Errors
/// What an operator has to mend: a wrong setting, a model that cannot be read, a port that is taken.
pub async fn run(arguments: config::Arguments) -> anyhow::Result<()> {
    let (config, command) = arguments.into_config()?;
    server::start_log();
    match command {
        Some(command) => server::command(command, &config).await,
        None => server::run(config, server::signals()).await,
    }
}
