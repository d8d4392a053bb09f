//! Behind nginx, with the configuration that README.md gives: `cargo xtask test --stage proxy` installs it and runs these.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use csms::security::authority::Authority;
use csms::security::keys;
use onwire::net::ClientTls;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdout, Command};

use crate::support::{Csms, PATIENCE};
use crate::tls::{connect_to, issue};
use crate::world::{PASSWORD, app, enter, succeeds};

const KEY: &str = "00112233445566778899aabbccddeeff00112233";

/// A running nginx.
struct Nginx(std::process::Child);

impl Drop for Nginx {
    /// It is asked to end: killed, it would leave its workers behind.
    fn drop(&mut self) {
        let _ = std::process::Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// nginx, and a csms behind it; both end with this.
struct Proxied {
    csms: Csms,
    _nginx: Nginx,
    /// `localhost:PORT` of nginx.
    authority: String,
    data: PathBuf,
}

impl Proxied {
    /// With the lines for profile 3 or without, with `authority` in the folder `ca` and a user `anna`.
    async fn start(data: &Path, with_certificates: bool) -> Self {
        let ca = data.join("ca");
        let folder = ca.to_str().unwrap();
        succeeds(data, &["make-ca", folder]).await;
        succeeds(data, &["user", "add", "anna", "--role", "admin"]).await;
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let authority = format!("localhost:{port}");
        let public_url = format!("https://{authority}");
        let mut flags = vec!["--trusted-proxy", "127.0.0.1", "--public-url", &public_url, "--security-profile", "2"];
        if with_certificates {
            flags.extend(["--ca", folder, "--proxy-certificate-header", "X-Client-Cert"]);
        }
        let csms = Csms::start_in(data, &flags).await;
        let configuration = data.join("nginx.conf");
        std::fs::write(&configuration, configured(data, port, &csms.http, with_certificates)).unwrap();
        let mut command = std::process::Command::new("/usr/sbin/nginx");
        command.args(["-e", "stderr", "-p"]).arg(data).arg("-c").arg(&configuration);
        // It takes over listening sockets that another nginx hands it: this way the port is never anybody else's, and
        // clients may come before it is ready.
        command.env("NGINX", "0;").stdin(Stdio::from(OwnedFd::from(socket)));
        let nginx = Nginx(command.spawn().expect("nginx is installed"));
        Self { csms, _nginx: nginx, authority, data: data.to_owned() }
    }

    /// A charge point by way of the proxy: the status of its refusal.
    async fn connect(&self, identity: &str, tls: &ClientTls, key: Option<&str>) -> Result<(), u16> {
        let url = format!("wss://{}/ocpp/", self.authority);
        connect_to(&url, identity, tls, key.map(|key| keys::parse(key).unwrap())).await
    }

    /// curl with these arguments and a path: what it printed, and the status.
    async fn curl(&self, path: &str, arguments: &[&str]) -> (u16, String) {
        let mut command = self.curl_command(path);
        let output = command.args(["--write-out", "\n%{http_code}"]).args(arguments).output();
        let output = tokio::time::timeout(PATIENCE, output).await.expect("an answer in time").unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    fn curl_command(&self, path: &str) -> Command {
        let url = match path.strip_prefix('/') {
            Some(path) => format!("https://{}/{path}", self.authority),
            None => path.to_owned(),
        };
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--no-buffer", "--noproxy", "*", "--cacert"]);
        command.arg(self.data.join("ca/ca.pem")).arg(url).kill_on_drop(true);
        command
    }
}

/// The block of README.md with the paths and ports of this test, within what nginx wants around it.
fn configured(data: &Path, port: u16, csms: &str, with_certificates: bool) -> String {
    let readme = include_str!("../../README.md");
    let block = readme.split_once("```nginx\n").unwrap().1.split_once("```").unwrap().0;
    let folder = data.display();
    let mut block = replaced(block, "listen 443 ssl", &format!("listen 127.0.0.1:{port} ssl"));
    block = replaced(&block, "/etc/ssl/csms.pem", &format!("{folder}/ca/server.pem"));
    block = replaced(&block, "/etc/ssl/csms.key", &format!("{folder}/ca/server.key"));
    block = replaced(&block, "http://127.0.0.1:8080", csms);
    if with_certificates {
        block = replaced(&block, "/etc/ssl/ca.pem", &format!("{folder}/ca/ca.pem"));
        for line in ["ssl_client_certificate", "ssl_verify_client", "proxy_set_header X-Client-Cert"] {
            block = replaced(&block, &format!("# {line}"), line);
        }
    }
    let folders: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder}/nginx-{kind};\n"))
        .concat();
    // As somebody who may read the folder, if a superuser starts it.
    format!(
        "daemon off;\nworker_processes 1;\nuser root root;\npid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\n\
         http {{\naccess_log off;\n{folders}{block}}}\n"
    )
}

fn replaced(text: &str, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "{old} in README.md");
    text.replace(old, new)
}

fn root(data: &Path) -> String {
    std::fs::read_to_string(data.join("ca/ca.pem")).unwrap()
}

/// A certificate of the authority in that folder as nginx would pass it.
fn escaped(pem: &str) -> String {
    percent_encoding::utf8_percent_encode(pem, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[tokio::test]
#[ignore = "needs nginx and curl: cargo xtask test --stage proxy"]
async fn a_certificate_comes_by_way_of_nginx_and_a_forged_header_does_not() {
    let data = tempfile::tempdir().unwrap();
    let app = app(data.path()).await;
    for identity in ["CP1", "CP2"] {
        enter(&app, identity, Some(KEY)).await;
    }
    let proxied = Proxied::start(data.path(), true).await;
    let root = root(data.path());
    let (issued, own_key) = issue(data.path(), "CP1");
    let own = ClientTls::with_certificate(&root, &issued.pem, &own_key).unwrap();
    let without = ClientTls::new(&root).unwrap();

    let header = format!("X-Client-Cert: {}", escaped(&issued.pem));
    let upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
    let upgrade =
        upgrade.iter().chain(&["Sec-WebSocket-Protocol: ocpp1.6", "Sec-WebSocket-Key: b253aXJlLWxvYWQtdGVzdA=="]);
    let mut forged = vec!["--http1.1", "--header", &header];
    forged.extend(upgrade.flat_map(|line| ["--header", line]));
    assert_eq!(proxied.curl("/ocpp/CP1", &forged).await.0, 401, "the header is the proxy's");

    assert_eq!(proxied.connect("CP1", &own, None).await, Ok(()));
    assert_eq!(proxied.connect("CP2", &own, None).await, Err(403), "somebody else's");
    assert_eq!(proxied.connect("CP2", &without, Some(KEY)).await, Ok(()), "profile 2 beside profile 3");
    assert_eq!(proxied.connect("CP1", &without, Some(KEY)).await, Err(403), "profile 2 is lower");

    // nginx does not let in whom it cannot verify.
    let other = tempfile::tempdir().unwrap();
    Authority::make(&other.path().join("ca"), "other").unwrap();
    let (stranger, stranger_key) = issue(other.path(), "CP1");
    let stranger = ClientTls::with_certificate(&root, &stranger.pem, &stranger_key).unwrap();
    assert_eq!(proxied.connect("CP1", &stranger, None).await, Err(400));

    succeeds(data.path(), &["revoke-certificate", &issued.serial]).await;
    assert_eq!(proxied.connect("CP1", &own, None).await, Err(403), "revoked");
}

#[tokio::test]
#[ignore = "needs nginx and curl: cargo xtask test --stage proxy"]
async fn keys_the_page_live_events_and_files_come_by_way_of_nginx() {
    let data = tempfile::tempdir().unwrap();
    enter(&*app(data.path()).await, "CP1", Some(KEY)).await;
    let proxied = Proxied::start(data.path(), false).await;
    let tls = ClientTls::new(root(data.path())).unwrap();

    // A request that changes something needs the session's token and an origin that is the page's own.
    let jar = data.path().join("cookies");
    let jar = jar.to_str().unwrap();
    let credentials = json!({"name": "anna", "password": PASSWORD}).to_string();
    let json_body = ["--header", "Content-Type: application/json"];
    let log_in = [&["--cookie-jar", jar, "--include", "--data", &credentials], &json_body[..]].concat();
    let (status, answer) = proxied.curl("/api/v1/login", &log_in).await;
    assert_eq!(status, 200, "{answer}");
    let cookie = answer.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie:")).unwrap();
    assert!(cookie.contains("; Secure"), "{cookie}");
    let logged_in: Value = serde_json::from_str(answer.lines().last().unwrap()).unwrap();
    let csrf = format!("X-CSRF-Token: {}", logged_in["csrf"].as_str().unwrap());
    let origin = format!("Origin: https://{}", proxied.authority);
    let session = ["--cookie", jar, "--header", &csrf, "--header", &origin];
    let add_tag = [&session[..], &json_body, &["--data", r#"{"idTag":"TAG1"}"#]].concat();
    assert_eq!(proxied.curl("/api/v1/id-tags", &add_tag).await.0, 201);
    let elsewhere = ["--cookie", jar, "--header", &csrf, "--header", "Origin: https://elsewhere.example"];
    let add_tag = [&elsewhere[..], &json_body, &["--data", r#"{"idTag":"TAG2"}"#]].concat();
    assert_eq!(proxied.curl("/api/v1/id-tags", &add_tag).await.0, 403);
    assert_eq!(proxied.curl("/web/", &[]).await.0, 200);
    let (_, audit) = proxied.curl("/api/v1/audit", &["--cookie", jar]).await;
    assert!(audit.contains(r#""address":"127.0.0.1""#), "{audit}");

    // An event is there although the stream has not ended: nothing buffers it.
    let mut listening = proxied.curl_command("/api/v1/events?chargePoint=CP1");
    let mut listening = listening.args(["--cookie", jar]).stdout(Stdio::piped()).spawn().unwrap();
    let mut events = BufReader::new(listening.stdout.take().unwrap()).lines();
    expect(&mut events, ": listening").await;
    assert_eq!(proxied.connect("CP1", &tls, None).await, Err(401));
    assert_eq!(proxied.connect("CP1", &tls, Some(KEY)).await, Ok(()));
    expect(&mut events, "event: connected").await;

    // Larger than nginx lets through unless it is told.
    let image: Vec<u8> = (0..=255).cycle().take(2 << 20).collect();
    let file = data.path().join("image");
    std::fs::write(&file, &image).unwrap();
    let file = format!("@{}", file.display());
    let binary = ["--request", "PUT", "--header", "Content-Type: application/octet-stream", "--data-binary", &file];
    let (status, answer) = proxied.curl("/api/v1/files/firmware/fw.bin", &[&session[..], &binary].concat()).await;
    assert_eq!(status, 201, "{answer}");
    let id = serde_json::from_str::<Value>(&answer).unwrap()["id"].as_str().unwrap().to_owned();
    let copy = data.path().join("copy");
    let fetch = ["--cookie", jar, "--output", copy.to_str().unwrap()];
    assert_eq!(proxied.curl(&format!("/api/v1/files/{id}/content"), &fetch).await.0, 200);
    assert_eq!(std::fs::read(copy).unwrap(), image);
    proxied.csms.stop().await;
}

/// Reads until that line.
async fn expect(lines: &mut Lines<BufReader<ChildStdout>>, wanted: &str) {
    let found = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line == wanted {
                return;
            }
        }
        panic!("the stream ended before {wanted:?}");
    };
    tokio::time::timeout(PATIENCE, found).await.expect("an event in time");
}
