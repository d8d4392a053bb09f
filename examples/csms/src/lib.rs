//! A central system for OCPP 1.6-J charge points: what a charging operator or a maker of charge points installs.
//!
//! | module | what is there |
//! |---|---|
//! | [`config`] | flags, environment, TOML file |
//! | [`door`] | paths, subprotocols and sizes that charge points are taken with |
//! | [`commands`] | what the program does beside serving: users, certificates |
//! | [`app`] | what all parts share |
//! | [`server`] | the listeners, and the way from start to graceful end |
//! | [`ocpp`] | what charge points are answered, and what is sent to them |
//! | [`store`] | the database: SQLite or PostgreSQL |
//! | [`api`] | REST: `/api/v1`, and `/api/ocpp` for users of another server |
//! | [`web`] | the page |
//! | [`security`] | who may connect, who may do what |
//! | [`files`] | uploads and downloads of charge points |
//! | [`observe`] | message log, metrics, live events |
//! | [`durable`] | small files that are there whole or not at all |

pub mod api;
pub mod app;
pub mod commands;
pub mod config;
pub mod door;
pub mod durable;
pub mod files;
pub mod observe;
pub mod ocpp;
mod open_files;
pub mod security;
pub mod server;
pub mod store;
pub mod time;
pub mod web;

use anyhow::Result;

/// Does what the command line asks for.
///
/// # Errors
/// What an operator has to mend: a wrong setting, a port that is taken, a database that cannot be opened.
pub async fn run(arguments: config::Arguments) -> Result<()> {
    let (config, command) = arguments.into_config()?;
    observe::log::start(&config);
    if let Some(command) = command {
        return commands::run(command, &config).await;
    }
    server::run(config, server::signals()).await
}
