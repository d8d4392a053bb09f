//! Settings: flags first, then the environment, then a TOML file, then defaults.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser};
use http::HeaderName;
use ipnet::IpNet;
use serde::Deserialize;

use crate::commands::Command;
use crate::door::Door;
use crate::files::FileSettings;
use crate::security::keys::KeyForm;
use crate::security::secret::Hidden;
use crate::store::transactions::ConcurrentTx;

/// A central system for OCPP 1.6-J charge points.
///
/// Settings come from flags, then from the environment, then from the TOML file that --config names (its keys are the
/// flags' names with `_` for `-`; those that may be repeated are lists in the plural: id_tags, host_names,
/// trusted_proxies, tls_certificates, tls_keys, ocpp_prefixes), then from defaults.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Arguments {
    /// A TOML file with settings.
    #[arg(long, env = "CSMS_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Flags and environment.
    #[command(flatten)]
    pub settings: Settings,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
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
    /// Address to listen on, or none; port 0 takes a free one [default: 127.0.0.1:8080]
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
    /// A tag that may charge, entered at start; repeat it for more. Unknown tags are refused then, unless --open says so
    #[arg(long = "id-tag", env = "CSMS_ID_TAGS", value_name = "TAG", value_delimiter = ',')]
    id_tags: Vec<String>,
    /// Which id tags may be in several transactions at once, instead of ConcurrentTx for the second: none, unknown (those
    /// that nobody has entered, as charge points without a card reader send one for everybody) or all [default: unknown]
    #[arg(long, env = "CSMS_CONCURRENT_TX", value_name = "TAGS")]
    concurrent_tx: ConcurrentTx,
    /// Hours after which a transaction whose charge point is gone holds up nobody with ConcurrentTx any more; 0: it does
    /// for ever [default: 24]
    #[arg(long, env = "CSMS_CONCURRENT_TX_HOURS", value_name = "HOURS")]
    concurrent_tx_hours: u32,
    /// The lowest number of a new transaction, up to 2147483647: above those that still run under a server that this one
    /// takes the place of [default: 1]
    #[arg(long, env = "CSMS_FIRST_TRANSACTION_ID", value_name = "NUMBER")]
    first_transaction_id: u32,
    /// Seconds between two heartbeats of a charge point [default: 300]
    #[arg(long, env = "CSMS_HEARTBEAT_INTERVAL", value_name = "SECONDS")]
    heartbeat_interval: u32,
    /// Days that meter values are kept; 0 keeps them for ever [default: 400]
    #[arg(long, env = "CSMS_METER_VALUE_DAYS", value_name = "DAYS")]
    meter_value_days: u32,
    /// Days that the message log is kept; 0 keeps it for ever [default: 14]
    #[arg(long, env = "CSMS_MESSAGE_LOG_DAYS", value_name = "DAYS")]
    message_log_days: u32,
    /// Days that the audit log is kept; 0 keeps it for ever [default: 1100]
    #[arg(long, env = "CSMS_AUDIT_LOG_DAYS", value_name = "DAYS")]
    audit_log_days: u32,
    /// Days that security events of charge points are kept; 0 keeps them for ever [default: 1100]
    #[arg(long, env = "CSMS_SECURITY_EVENT_DAYS", value_name = "DAYS")]
    security_event_days: u32,
    /// Address for TLS, wss:// and https://; beside --listen, or with --listen none instead of it
    #[arg(long, env = "CSMS_TLS_LISTEN", value_name = "HOST:PORT")]
    tls_listen: String,
    /// The server's certificate and its chain, PEM; a second one of the other kind (ECDSA, RSA) may follow
    #[arg(long = "tls-certificate", env = "CSMS_TLS_CERTIFICATES", value_name = "FILE", value_delimiter = ',')]
    tls_certificates: Vec<PathBuf>,
    /// Key of the certificate, PEM; one for each certificate, in the same order
    #[arg(long = "tls-key", env = "CSMS_TLS_KEYS", value_name = "FILE", value_delimiter = ',')]
    tls_keys: Vec<PathBuf>,
    /// Authorities whose certificates of charge points are trusted (security profile 3), PEM
    #[arg(long, env = "CSMS_TLS_CLIENT_CA", value_name = "FILE")]
    tls_client_ca: PathBuf,
    /// Folder of an authority (csms make-ca) that signs certificates of charge points, and is trusted for them
    #[arg(long, env = "CSMS_CA", value_name = "DIR")]
    ca: PathBuf,
    /// The operator's name, which certificates of charge points must have as organization (O)
    #[arg(long, env = "CSMS_CPO_NAME", value_name = "NAME")]
    cpo_name: String,
    /// Days that certificates for charge points are valid [default: 365]
    #[arg(long, env = "CSMS_CERTIFICATE_DAYS", value_name = "DAYS")]
    certificate_days: u32,
    /// Lowest security profile of any charge point, 0 to 3 [default: 1; on loopback or with --insecure 0]
    #[arg(long, env = "CSMS_SECURITY_PROFILE", value_name = "PROFILE")]
    security_profile: u8,
    /// As what charge points send their key: bytes, text (the digits themselves) or either [default: either]
    #[arg(long, env = "CSMS_KEY_FORM", value_name = "FORM")]
    key_form: KeyForm,
    /// Address or network of a proxy whose X-Forwarded-For and X-Forwarded-Proto are believed; repeat it for more
    #[arg(long = "trusted-proxy", env = "CSMS_TRUSTED_PROXIES", value_name = "CIDR", value_delimiter = ',')]
    trusted_proxies: Vec<String>,
    /// Header in which the proxy passes a client's certificate; the proxy must take it out of what clients send
    #[arg(long, env = "CSMS_PROXY_CERTIFICATE_HEADER", value_name = "NAME")]
    proxy_certificate_header: String,
    /// A name by which browsers reach a server that nobody has to log in to; repeat it for more
    #[arg(long = "host-name", env = "CSMS_HOST_NAMES", value_name = "NAME", value_delimiter = ',')]
    host_names: Vec<String>,
    /// File with the password of the user admin, who is entered at start if there are no users
    #[arg(long, env = "CSMS_ADMIN_PASSWORD_FILE", value_name = "FILE")]
    admin_password_file: PathBuf,
    /// What keys of charge points are hashed with, 32 characters or more [default: the file secret in the data folder,
    /// which is made]; better by the environment, where other users of the machine do not see it
    #[arg(long, env = "CSMS_SECRET", value_name = "TEXT", hide_env_values = true)]
    secret: Hidden,
    /// Base of the URLs that charge points get for files, as they reach it (through a proxy, too) [default: http:// and
    /// the address listened on, or https:// if there is only that]
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
    /// Path before the identity in a charge point's URL; / for identities alone; repeat it for more [default: /ocpp/]
    #[arg(long = "ocpp-prefix", env = "CSMS_OCPP_PREFIXES", value_name = "PATH", value_delimiter = ',')]
    ocpp_prefixes: Vec<String>,
    /// Speak OCPP 1.6 with charge points that offer no subprotocol, which OCPP-J does not allow
    #[arg(long, env = "CSMS_WITHOUT_SUBPROTOCOL", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    without_subprotocol: bool,
    /// Let web pages of other sites be charge points without a key, as simulators in browsers are
    #[arg(long, env = "CSMS_ADMIT_BROWSERS", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    admit_browsers: bool,
    /// The largest message of a charge point, in KiB; a larger one ends its connection [default: 2048]
    #[arg(long, env = "CSMS_MESSAGE_LIMIT", value_name = "KIB")]
    message_limit: u32,
    /// How many clients of one address may be in their handshake at once, and how many HTTP connections it may have; of 1024
    /// each. Behind a proxy, whose address all have: 1024 [default: 512; 1024 with --trusted-proxy]
    #[arg(long, env = "CSMS_CONNECTIONS_PER_ADDRESS", value_name = "COUNT")]
    connections_per_address: u32,
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
    /// Where to listen without TLS.
    pub listen: Option<SocketAddr>,
    /// Where to listen with TLS.
    pub tls_listen: Option<SocketAddr>,
    /// The server's certificates, one of each kind.
    pub tls_certificates: Vec<PathBuf>,
    /// Their keys.
    pub tls_keys: Vec<PathBuf>,
    /// Whose certificates of charge points are trusted.
    pub tls_client_ca: Option<PathBuf>,
    /// Folder of the authority that signs certificates of charge points.
    pub ca: Option<PathBuf>,
    /// What certificates of charge points have as organization.
    pub cpo_name: Option<String>,
    /// How long certificates for charge points are valid.
    pub certificate_days: u32,
    /// The lowest security profile of any charge point.
    pub security_profile: u8,
    /// As what charge points send their key.
    pub key_form: KeyForm,
    /// Proxies that are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Where they pass a client's certificate.
    pub proxy_certificate_header: Option<HeaderName>,
    /// Names of a server that nobody has to log in to.
    pub host_names: Vec<String>,
    /// Password of the first administrator.
    pub admin_password_file: Option<PathBuf>,
    /// What keys are hashed with.
    pub secret: Option<Hidden>,
    /// Folder of everything that is kept.
    pub data: PathBuf,
    /// URL of the database.
    pub database: String,
    /// Whether unknown charge points and id tags are accepted, unless an operator has changed it since.
    pub open: bool,
    /// Whether to listen beyond loopback without authentication.
    pub insecure: bool,
    /// Whether unknown id tags are accepted, unless an operator has changed it since.
    pub unknown_id_tags: bool,
    /// Tags to enter at start.
    pub id_tags: Vec<String>,
    /// Which id tags may be in several transactions at once.
    pub concurrent_tx: ConcurrentTx,
    /// How long a transaction whose charge point is gone counts for that; 0: for ever.
    pub concurrent_tx_hours: u32,
    /// The lowest number of a new transaction.
    pub first_transaction_id: u32,
    /// In seconds.
    pub heartbeat_interval: u32,
    /// 0: for ever.
    pub meter_value_days: u32,
    /// 0: for ever.
    pub message_log_days: u32,
    /// 0: for ever.
    pub audit_log_days: u32,
    /// 0: for ever.
    pub security_event_days: u32,
    /// Which handshakes and messages of charge points are taken.
    pub door: Door,
    /// Uploads and downloads of charge points.
    pub files: FileSettings,
    /// How log lines look.
    pub log_format: LogFormat,
}

impl Config {
    /// Makes the folder of everything that is kept, if it is not there. It is its owner's alone: the database and the files
    /// of charge points are nobody else's business.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make_data_folder(&self) -> Result<()> {
        crate::durable::private_folder(&self.data).with_context(|| format!("cannot make {}", self.data.display()))
    }
}

impl Arguments {
    /// Reads the file, if there is one, and fills in the defaults.
    ///
    /// # Errors
    /// A file that cannot be read or has a setting that there is not; a value that is none.
    pub fn into_config(self) -> Result<(Config, Option<Command>)> {
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
        let (files, door) = (FileSettings::new(&self)?, Door::new(&self)?);
        let listen = match self.listen.as_deref() {
            Some("none") => None,
            address => Some(resolve(address.unwrap_or("127.0.0.1:8080"))?),
        };
        let tls_listen = self.tls_listen.as_deref().map(resolve).transpose()?;
        ensure!(listen.or(tls_listen).is_some(), "there is nowhere to listen: --listen none needs --tls-listen");
        let proxies = self.trusted_proxies.unwrap_or_default();
        let trusted_proxies: Vec<IpNet> = proxies.iter().map(|text| network(text)).collect::<Result<_>>()?;
        let on_loopback = listen.iter().chain(&tls_listen).all(|address| address.ip().is_loopback());
        let on_loopback = on_loopback && trusted_proxies.is_empty();
        let insecure = self.insecure.unwrap_or(false);
        let security_profile = self.security_profile.unwrap_or(if on_loopback || insecure { 0 } else { 1 });
        ensure!(security_profile <= 3, "there are security profiles 0 to 3");
        let first_transaction_id = self.first_transaction_id.unwrap_or(1);
        // What charge points keep such a number in has 32 bits with a sign, as a rule.
        let is_number = i32::try_from(first_transaction_id).is_ok_and(|number| number > 0);
        ensure!(is_number, "--first-transaction-id is a number from 1 to 2147483647");
        let header = self.proxy_certificate_header.map(|name| name.to_ascii_lowercase().parse());
        let proxy_certificate_header = header.transpose().context("--proxy-certificate-header is no header's name")?;
        let trusts = self.tls_client_ca.is_some() || self.ca.is_some();
        ensure!(
            trusts || proxy_certificate_header.is_none(),
            "--proxy-certificate-header needs --tls-client-ca or --ca"
        );
        let data = self.data.unwrap_or_else(|| PathBuf::from("data"));
        let database = self.database.unwrap_or_else(|| format!("sqlite://{}", data.join("csms.db").display()));
        Ok(Config {
            listen,
            tls_listen,
            tls_certificates: self.tls_certificates.unwrap_or_default(),
            tls_keys: self.tls_keys.unwrap_or_default(),
            tls_client_ca: self.tls_client_ca,
            ca: self.ca,
            cpo_name: self.cpo_name,
            certificate_days: self.certificate_days.unwrap_or(365),
            security_profile,
            key_form: self.key_form.unwrap_or_default(),
            trusted_proxies,
            proxy_certificate_header,
            host_names: self.host_names.unwrap_or_default(),
            admin_password_file: self.admin_password_file,
            secret: self.secret,
            data,
            database,
            open: self.open.unwrap_or(on_loopback),
            unknown_id_tags: self.open.unwrap_or(on_loopback && self.id_tags.is_none()),
            insecure,
            id_tags: self.id_tags.unwrap_or_default(),
            concurrent_tx: self.concurrent_tx.unwrap_or_default(),
            concurrent_tx_hours: self.concurrent_tx_hours.unwrap_or(24),
            first_transaction_id,
            heartbeat_interval: self.heartbeat_interval.unwrap_or(300),
            meter_value_days: self.meter_value_days.unwrap_or(400),
            message_log_days: self.message_log_days.unwrap_or(14),
            audit_log_days: self.audit_log_days.unwrap_or(1100),
            security_event_days: self.security_event_days.unwrap_or(1100),
            door,
            files,
            log_format: self.log_format.unwrap_or_default(),
        })
    }
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet> {
    let address = || text.parse::<std::net::IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| address()).with_context(|| format!("{text:?} is no address or network"))
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
        assert_eq!(
            (config.listen.unwrap().port(), config.heartbeat_interval, config.log_format),
            (2, 60, LogFormat::Json)
        );
        assert!(config.open && !config.insecure);
        assert!(toml::from_str::<Settings>("liste = 1").is_err());
        let beyond = Settings { listen: Some("0.0.0.0:2".into()), ..Settings::default() };
        let beyond = beyond.into_config().unwrap();
        assert!(!beyond.open && beyond.security_profile == 1);
        let nowhere = Settings { listen: Some("none".into()), ..Settings::default() };
        assert!(nowhere.into_config().is_err());
        for wrong in [0, 1 << 31] {
            let settings = Settings { first_transaction_id: Some(wrong), ..Settings::default() };
            assert!(settings.into_config().is_err(), "{wrong}");
        }
        let proxied = Settings { trusted_proxies: Some(vec!["127.0.0.1".into()]), ..Settings::default() };
        assert!(!proxied.into_config().unwrap().open, "others reach the proxy");
    }
}
