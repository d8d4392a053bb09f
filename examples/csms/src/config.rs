//! Settings: flags first, then the environment, then a TOML file, then defaults.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Parser};
use serde::Deserialize;

use crate::files::FileSettings;

/// A central system for OCPP 1.6-J charge points.
///
/// Settings come from flags, then from the environment, then from the TOML file that --config names (its keys are the
/// flags' names with `_` for `-`), then from defaults.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Arguments {
    /// A TOML file with settings.
    #[arg(long, env = "CSMS_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Flags and environment.
    #[command(flatten)]
    pub settings: Settings,
}

/// One struct for flags, environment and file, so that none of them knows a setting that the others do not.
macro_rules! settings {
    ($($(#[$meta:meta])* $name:ident: $type:ty,)+) => {
        /// What can be set; `None` leaves it to the next source.
        #[derive(Debug, Clone, Default, Args, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Settings {
            $($(#[$meta])* pub $name: Option<$type>,)+
        }

        impl Settings {
            fn or(self, other: Self) -> Self {
                Self { $($name: self.$name.or(other.$name),)+ }
            }
        }
    };
}

settings! {
    /// Address to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, env = "CSMS_LISTEN", value_name = "HOST:PORT")]
    listen: String,
    /// Folder of everything that is kept [default: ./data]
    #[arg(long, env = "CSMS_DATA", value_name = "DIR")]
    data: PathBuf,
    /// Database: postgres://USER:PASSWORD@HOST/NAME, or sqlite://FILE [default: csms.db in the data folder]
    #[arg(long, env = "CSMS_DATABASE", value_name = "URL", hide_env_values = true)]
    database: String,
    /// Whether unknown charge points and unknown id tags are accepted [default: true on a loopback address, else false]
    #[arg(long, env = "CSMS_OPEN", value_name = "BOOL")]
    open: bool,
    /// Listen beyond loopback although nobody has to log in
    #[arg(long, env = "CSMS_INSECURE", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    insecure: bool,
    /// A tag that may charge, entered at start; repeat it for more
    #[arg(long = "id-tag", env = "CSMS_ID_TAGS", value_name = "TAG", value_delimiter = ',')]
    id_tags: Vec<String>,
    /// Seconds between two heartbeats of a charge point [default: 300]
    #[arg(long, env = "CSMS_HEARTBEAT_INTERVAL", value_name = "SECONDS")]
    heartbeat_interval: u32,
    /// Days that meter values are kept; 0 keeps them for ever [default: 400]
    #[arg(long, env = "CSMS_METER_VALUE_DAYS", value_name = "DAYS")]
    meter_value_days: u32,
    /// Days that the message log is kept; 0 keeps it for ever [default: 14]
    #[arg(long, env = "CSMS_MESSAGE_LOG_DAYS", value_name = "DAYS")]
    message_log_days: u32,
    /// Base of the URLs that charge points get for files, as they reach it (through a proxy, too) [default: http:// and
    /// the address listened on]
    #[arg(long, env = "CSMS_PUBLIC_URL", value_name = "URL")]
    public_url: String,
    /// Address to listen on for FTP, for charge points that speak nothing else; port 0 takes a free one [default: no FTP]
    #[arg(long, env = "CSMS_FTP_LISTEN", value_name = "HOST:PORT")]
    ftp_listen: String,
    /// Host of FTP as charge points reach it [default: that of --ftp-listen, or of --public-url]
    #[arg(long, env = "CSMS_FTP_PUBLIC_HOST", value_name = "HOST")]
    ftp_public_host: String,
    /// Ports for FTP's passive data connections [default: 49152-65535]
    #[arg(long, env = "CSMS_FTP_PASSIVE_PORTS", value_name = "FIRST-LAST")]
    ftp_passive_ports: String,
    /// The largest file that a charge point may upload, in MiB [default: 100]
    #[arg(long, env = "CSMS_UPLOAD_LIMIT", value_name = "MIB")]
    upload_limit: u32,
    /// The largest firmware, in MiB [default: 256]
    #[arg(long, env = "CSMS_FIRMWARE_LIMIT", value_name = "MIB")]
    firmware_limit: u32,
    /// Hours that a charge point has for a download or upload [default: 24]
    #[arg(long, env = "CSMS_FILE_REQUEST_HOURS", value_name = "HOURS")]
    file_request_hours: u32,
    /// Private key that signs firmware: EC on P-256, PKCS #8 in PEM
    #[arg(long, env = "CSMS_FIRMWARE_SIGNING_KEY", value_name = "FILE")]
    firmware_signing_key: PathBuf,
    /// Its certificate, in PEM; at most 5500 characters
    #[arg(long, env = "CSMS_FIRMWARE_SIGNING_CERTIFICATE", value_name = "FILE")]
    firmware_signing_certificate: PathBuf,
    /// How the log is written: text or json [default: text]
    #[arg(long, env = "CSMS_LOG_FORMAT", value_name = "FORMAT")]
    log_format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Settings with their defaults.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Folder of everything that is kept.
    pub data: PathBuf,
    /// URL of the database.
    pub database: String,
    /// Whether unknown charge points and id tags are accepted, unless an operator has changed it since.
    pub open: bool,
    /// Whether to listen beyond loopback without authentication.
    pub insecure: bool,
    /// Tags to enter at start.
    pub id_tags: Vec<String>,
    /// In seconds.
    pub heartbeat_interval: u32,
    /// 0: for ever.
    pub meter_value_days: u32,
    /// 0: for ever.
    pub message_log_days: u32,
    /// Uploads and downloads of charge points.
    pub files: FileSettings,
    /// How log lines look.
    pub log_format: LogFormat,
}

impl Arguments {
    /// Reads the file, if there is one, and fills in the defaults.
    ///
    /// # Errors
    /// A file that cannot be read or has a setting that there is not; a value that is none.
    pub fn into_config(self) -> Result<Config> {
        let file = self.config.as_deref().map(read).transpose()?.unwrap_or_default();
        self.settings.or(file).into_config()
    }
}

fn read(path: &Path) -> Result<Settings> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("in {}", path.display()))
}

impl Settings {
    fn into_config(self) -> Result<Config> {
        let files = FileSettings::new(&self)?;
        let listen = self.listen.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
        let listen: SocketAddr = resolve(&listen)?;
        let data = self.data.unwrap_or_else(|| PathBuf::from("data"));
        let database = self.database.unwrap_or_else(|| format!("sqlite://{}", data.join("csms.db").display()));
        Ok(Config {
            listen,
            data,
            database,
            open: self.open.unwrap_or(listen.ip().is_loopback()),
            insecure: self.insecure.unwrap_or(false),
            id_tags: self.id_tags.unwrap_or_default(),
            heartbeat_interval: self.heartbeat_interval.unwrap_or(300),
            meter_value_days: self.meter_value_days.unwrap_or(400),
            message_log_days: self.message_log_days.unwrap_or(14),
            files,
            log_format: self.log_format.unwrap_or_default(),
        })
    }
}

pub(crate) fn resolve(address: &str) -> Result<SocketAddr> {
    use std::net::ToSocketAddrs;
    let mut found = address.to_socket_addrs().with_context(|| format!("{address:?} is no HOST:PORT"))?;
    found.next().with_context(|| format!("{address:?} has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_come_before_the_file_and_the_file_before_defaults() {
        let file: Settings =
            toml::from_str("listen = \"127.0.0.1:1\"\nheartbeat_interval = 60\nlog_format = \"json\"").unwrap();
        let flags = Settings { listen: Some("127.0.0.1:2".into()), ..Settings::default() };
        let config = flags.or(file).into_config().unwrap();
        assert_eq!((config.listen.port(), config.heartbeat_interval, config.log_format), (2, 60, LogFormat::Json));
        assert!(config.open && !config.insecure);
        assert!(toml::from_str::<Settings>("liste = 1").is_err());
        let beyond = Settings { listen: Some("0.0.0.0:2".into()), ..Settings::default() };
        assert!(!beyond.into_config().unwrap().open);
    }
}
