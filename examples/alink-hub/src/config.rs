//! Settings: flags first, then the environment, then a TOML file, then defaults.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Parser, Subcommand};
use onwire::net::{LoginLimit, LoginLimits};
use serde::Deserialize;

use crate::security::access::Role;

/// A platform of one's own for devices that speak Alink over MQTT.
///
/// Settings come from flags, then from the environment, then from the TOML file that --config names (its keys are the flags'
/// names with `_` for `-`), then from defaults.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Arguments {
    /// A TOML file with settings.
    #[arg(long, env = "HUB_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    /// What to do instead of serving.
    #[command(subcommand)]
    command: Option<Command>,
}

/// What to do instead of serving. Flags come before it.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tokens for the REST interface and the page; works also while the hub runs
    #[command(subcommand)]
    Token(TokenCommand),
}

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token, and print it
    Add {
        /// For people.
        name: String,
        /// What it may do.
        #[arg(long, default_value = "operator")]
        role: Role,
    },
    /// List names and roles
    List,
    /// Remove a token
    Remove {
        /// Which.
        name: String,
    },
}

/// One struct for flags, environment and file, so that none of them knows a setting that the others do not.
macro_rules! settings {
    ($($(#[$meta:meta])* $name:ident: $type:ty,)+) => {
        /// What can be set; `None` leaves it to the next source.
        #[derive(Debug, Clone, Default, Args, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Settings {
            $($(#[$meta])* $name: Option<$type>,)+
        }

        impl Settings {
            fn or(self, other: Self) -> Self {
                Self { $($name: self.$name.or(other.$name),)+ }
            }
        }
    };
}

settings! {
    /// Address of the MQTT listener; port 0 takes a free one [default: 127.0.0.1:1883]
    #[arg(long, env = "HUB_MQTT", value_name = "HOST:PORT")]
    mqtt: String,
    /// A broker that devices connect to instead: mqtt://HOST:PORT; then there is no MQTT listener here
    #[arg(long, env = "HUB_BROKER", value_name = "URL")]
    broker: String,
    /// Name to log in with at the broker
    #[arg(long, env = "HUB_BROKER_USER", value_name = "NAME")]
    broker_user: String,
    /// File with the password for it
    #[arg(long, env = "HUB_BROKER_PASSWORD_FILE", value_name = "FILE")]
    broker_password_file: PathBuf,
    /// Authorities that are trusted for a broker at mqtts://, PEM
    #[arg(long, env = "HUB_BROKER_CA", value_name = "FILE")]
    broker_ca: PathBuf,
    /// Address of a second MQTT listener, with TLS
    #[arg(long, env = "HUB_MQTTS", value_name = "HOST:PORT")]
    mqtts: String,
    /// Its certificate and chain, PEM
    #[arg(long, env = "HUB_TLS_CERTIFICATE", value_name = "FILE")]
    tls_certificate: PathBuf,
    /// The certificate's key, PEM
    #[arg(long, env = "HUB_TLS_KEY", value_name = "FILE")]
    tls_key: PathBuf,
    /// Address of the page, the REST interface and the files of updates; port 0 takes a free one [default: 127.0.0.1:8081]
    #[arg(long, env = "HUB_HTTP", value_name = "HOST:PORT")]
    http: String,
    /// Folder of everything that is kept [default: ./hub-data]
    #[arg(long, env = "HUB_DATA", value_name = "DIR")]
    data: PathBuf,
    /// Folder of thing models (TSL), one or more JSON files for each product [default: models in the data folder]
    #[arg(long, env = "HUB_MODELS", value_name = "DIR")]
    models: PathBuf,
    /// Database: postgres://USER:PASSWORD@HOST/NAME, or sqlite://FILE [default: hub.db in the data folder]
    #[arg(long, env = "HUB_DATABASE", value_name = "URL", hide_env_values = true)]
    database: String,
    /// Base of the URLs that devices get for files, as they reach it [default: http:// and the address of --http]
    #[arg(long, env = "HUB_PUBLIC_URL", value_name = "URL")]
    public_url: String,
    /// Listen for HTTP beyond loopback although there is no API token
    #[arg(long, env = "HUB_INSECURE", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    insecure: bool,
    /// Days that history of properties, events and services is kept; 0 keeps it for ever [default: 90]
    #[arg(long, env = "HUB_HISTORY_DAYS", value_name = "DAYS")]
    history_days: u32,
    /// Days that the log is kept; 0 keeps it for ever [default: 14]
    #[arg(long, env = "HUB_LOG_DAYS", value_name = "DAYS")]
    log_days: u32,
    /// The largest file of an update, in MiB [default: 256]
    #[arg(long, env = "HUB_FIRMWARE_LIMIT", value_name = "MIB")]
    firmware_limit: u32,
    /// How much the files that one device uploads may take, in MiB [default: 64]
    #[arg(long, env = "HUB_UPLOAD_QUOTA", value_name = "MIB")]
    upload_quota: u32,
    /// Days that files which devices have uploaded are kept; 0 keeps them for ever [default: 30]
    #[arg(long, env = "HUB_UPLOAD_DAYS", value_name = "DAYS")]
    upload_days: u32,
    /// How many messages on topics of one's own each device may send in a second, after a burst of ten times as many; what it
    /// sends faster is not read before its time; 0 sets no limit [default: 20]
    #[arg(long, env = "HUB_MESSAGE_RATE", value_name = "COUNT")]
    message_rate: u32,
    /// How much the messages of one device on such topics may take, in MiB; the oldest are deleted for new ones; 0 sets no
    /// limit [default: 64]
    #[arg(long, env = "HUB_MESSAGE_QUOTA", value_name = "MIB")]
    message_quota: u32,
    /// How many logins in one device's name may fail within the window; then none is looked at until it ends, but from where
    /// the device last got in; 0 sets no limit [default: 10]
    #[arg(long, env = "HUB_LOGIN_FAILURES", value_name = "COUNT")]
    login_failures: u32,
    /// How many logins from one address may fail within the window; 0 sets no limit [default: 100]
    #[arg(long, env = "HUB_ADDRESS_FAILURES", value_name = "COUNT")]
    address_failures: u32,
    /// The window of both, in seconds [default: 300]
    #[arg(long, env = "HUB_LOGIN_WINDOW", value_name = "SECONDS")]
    login_window: u32,
    /// How many clients of one address may be between connecting and their login at once, and how many HTTP connections it
    /// may have; of 1024 each. Behind a proxy, whose address all have: 1024 [default: 512]
    #[arg(long, env = "HUB_CONNECTIONS_PER_ADDRESS", value_name = "COUNT")]
    connections_per_address: u32,
}

/// Settings with their defaults.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) mqtt: SocketAddr,
    pub(crate) tls: Option<Tls>,
    /// Instead of the listener.
    pub(crate) broker: Option<Broker>,
    pub(crate) http: SocketAddr,
    pub(crate) data: PathBuf,
    pub(crate) models: PathBuf,
    pub(crate) database: String,
    /// Without a slash at its end; `None`: the address that is listened on.
    pub(crate) public_url: Option<String>,
    pub(crate) insecure: bool,
    /// 0: for ever.
    pub(crate) history_days: u32,
    /// 0: for ever.
    pub(crate) log_days: u32,
    /// In bytes.
    pub(crate) firmware_limit: u64,
    /// In bytes.
    pub(crate) upload_quota: i64,
    /// 0: for ever.
    pub(crate) upload_days: u32,
    /// In a second; 0: as many as there are.
    pub(crate) message_rate: u32,
    /// In bytes; 0: as much as there is.
    pub(crate) message_quota: i64,
    pub(crate) logins: LoginLimits,
    /// Before the login, and for HTTP.
    pub(crate) connections_per_address: usize,
}

/// A broker that devices connect to.
#[derive(Debug, Clone)]
pub(crate) struct Broker {
    pub(crate) url: String,
    pub(crate) user: Option<String>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) authorities: Option<PathBuf>,
}

/// A listener with TLS.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    pub(crate) address: SocketAddr,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Arguments {
    /// Reads the file, if there is one, and fills in the defaults.
    ///
    /// # Errors
    /// A file that cannot be read or has a setting that there is not; a value that is none.
    pub(crate) fn into_config(self) -> Result<(Config, Option<Command>)> {
        let file = self.config.as_deref().map(read).transpose()?.unwrap_or_default();
        Ok((self.settings.or(file).into_config()?, self.command))
    }
}

fn read(path: &Path) -> Result<Settings> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("in {}", path.display()))
}

impl Settings {
    fn into_config(self) -> Result<Config> {
        let data = self.data.unwrap_or_else(|| PathBuf::from("hub-data"));
        let public_url = self.public_url.map(|url| url.trim_end_matches('/').to_owned());
        if let Some(url) = &public_url {
            let is_url = url.starts_with("http://") || url.starts_with("https://");
            ensure!(is_url, "--public-url begins with http:// or https://");
        }
        let resolve = |address: Option<String>, default: &str| -> Result<SocketAddr> {
            let address = address.as_deref().unwrap_or(default);
            let mut found = address.to_socket_addrs().with_context(|| format!("{address:?} is no HOST:PORT"))?;
            found.next().with_context(|| format!("{address:?} has no address"))
        };
        let tls = match (self.mqtts, self.tls_certificate, self.tls_key) {
            (None, None, None) => None,
            (Some(address), Some(certificate), Some(key)) => {
                Some(Tls { address: resolve(Some(address), "")?, certificate, key })
            }
            _ => bail!("--mqtts, --tls-certificate and --tls-key go together"),
        };
        Ok(Config {
            mqtt: resolve(self.mqtt, "127.0.0.1:1883")?,
            broker: self.broker.map(|url| Broker {
                url,
                user: self.broker_user,
                password_file: self.broker_password_file,
                authorities: self.broker_ca,
            }),
            tls,
            http: resolve(self.http, "127.0.0.1:8081")?,
            models: self.models.unwrap_or_else(|| data.join("models")),
            database: self.database.unwrap_or_else(|| format!("sqlite://{}", data.join("hub.db").display())),
            data,
            public_url,
            insecure: self.insecure.unwrap_or(false),
            history_days: self.history_days.unwrap_or(90),
            log_days: self.log_days.unwrap_or(14),
            upload_quota: i64::from(self.upload_quota.unwrap_or(64)) * 1024 * 1024,
            upload_days: self.upload_days.unwrap_or(30),
            message_rate: self.message_rate.unwrap_or(20),
            message_quota: i64::from(self.message_quota.unwrap_or(64)) * 1024 * 1024,
            logins: {
                let window = Duration::from_secs(self.login_window.unwrap_or(300).into());
                let by_address = LoginLimit::new(self.address_failures.unwrap_or(100), window);
                LoginLimits::new(by_address, LoginLimit::new(self.login_failures.unwrap_or(10), window))
            },
            connections_per_address: self.connections_per_address.unwrap_or(512).try_into()?,
            firmware_limit: u64::from(self.firmware_limit.unwrap_or(256)) * 1024 * 1024,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_come_before_the_file_and_the_file_before_defaults() {
        let file: Settings = toml::from_str("mqtt = \"127.0.0.1:1\"\nlog_days = 3").unwrap();
        let flags = Settings { mqtt: Some("127.0.0.1:2".into()), ..Settings::default() };
        let config = flags.or(file).into_config().unwrap();
        assert_eq!((config.mqtt.port(), config.log_days, config.history_days), (2, 3, 90));
        assert!(toml::from_str::<Settings>("mqtt_address = 1").is_err());
        let settings = Settings { public_url: Some("hub.example".into()), ..Settings::default() };
        assert!(settings.into_config().is_err());
        let settings = Settings { mqtts: Some("127.0.0.1:0".into()), ..Settings::default() };
        assert!(settings.into_config().unwrap_err().to_string().contains("--tls-key"));
    }
}
