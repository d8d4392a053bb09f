//! The program's own log, to standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Starts it; `RUST_LOG` chooses what is written. A second start, in tests, does nothing.
pub fn start(config: &Config) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Colours are for people: in a file or a journal they are noise. At a terminal NO_COLOR turns them off.
    let log = if std::io::stderr().is_terminal() { log } else { log.with_ansi(false) };
    let _ = match config.log_format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
}
