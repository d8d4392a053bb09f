//! TLS: rustls against rustls, OpenSSL against both, with certificates that are made here.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use onwire::net::{
    Certificates, Client, ClientTls, ConnectError, Denied, Login, Peers, Rustls, Server, ServerConfig, TlsError,
    Transport,
};
use onwire::ocpp::v16::*;
use onwire::types::DateTime;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

struct Csms;

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms {
    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        HeartbeatResponse::new(DateTime::from_unix_millis(0))
    }
}

#[derive(Debug)]
struct Charger;

#[onwire::handlers(ocpp::v16, role = ChargePoint)]
impl Charger {
    #[on(ClearCache)]
    fn clear_cache(&self) -> ClearCacheResponse {
        ClearCacheResponse::new(ClearCacheStatus::Accepted)
    }
}

/// A root that signs an intermediate certificate, which signs everybody's.
struct Authority {
    root: String,
    intermediate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its chain, and its key.
struct Own {
    chain: String,
    key: String,
    der: Vec<u8>,
}

impl Authority {
    fn new() -> Self {
        let ca = |name: &str| {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let root_key = KeyPair::generate().unwrap();
        let root = ca("root").self_signed(&root_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let root_issuer = Issuer::new(ca("root"), root_key);
        let intermediate = ca("intermediate").signed_by(&key, &root_issuer).unwrap();
        Self { root: root.pem(), intermediate: intermediate.pem(), issuer: Issuer::new(ca("intermediate"), key) }
    }

    fn issue(&self, name: &str) -> Own {
        self.issue_for(name, &KeyPair::generate().unwrap())
    }

    fn issue_for(&self, name: &str, key: &KeyPair) -> Own {
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(key, &self.issuer).unwrap();
        Own {
            chain: format!("{}{}", certificate.pem(), self.intermediate),
            key: key.serialize_pem(),
            der: certificate.der().to_vec(),
        }
    }
}

impl Own {
    fn certificates(&self) -> Certificates {
        Certificates::from_pem(self.chain.as_str(), self.key.as_str())
    }
}

/// A running server, and the certificates that its authenticator has seen.
struct Running {
    address: SocketAddr,
    peers: Peers,
    seen: Arc<Mutex<Vec<Option<Vec<u8>>>>>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    fn url(&self, identity: &str) -> String {
        format!("wss://127.0.0.1:{}/ocpp/{identity}", self.address.port())
    }

    fn seen(&self) -> Vec<Option<Vec<u8>>> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

async fn start(transport: impl Transport) -> Running {
    let seen: Arc<Mutex<Vec<_>>> = Arc::default();
    let sees = Arc::clone(&seen);
    let authenticate = move |login: Login| {
        assert!(login.origin.is_encrypted);
        sees.lock().unwrap().push(login.origin.certificate);
        async { Ok::<(), Denied>(()) }
    };
    let server = Server::bind("127.0.0.1:0").await.unwrap().transport(transport).authenticate(authenticate);
    let (address, peers) = (server.local_addr().unwrap(), server.peers());
    Running { address, peers, seen, task: tokio::spawn(async move { server.serve(Csms).await.unwrap() }) }
}

async fn connect(server: &Running, tls: &ClientTls) -> Result<Client<Charger>, ConnectError> {
    Client::builder(&server.url("CP1")).tls(tls.clone()).connect(Charger).await
}

/// A call from each side.
async fn talk(server: &Running, client: Client<Charger>) {
    let (peer, peers) = (client.peer(), server.peers.clone());
    let work = async move {
        assert_eq!(peer.call(HeartbeatRequest::default()).await.unwrap().current_time, DateTime::from_unix_millis(0));
        let charger = peers.get("CP1").unwrap();
        let answer = charger.call(ClearCacheRequest::default()).await.unwrap();
        assert_eq!(answer.status, ClearCacheStatus::Accepted);
    };
    client.run_until(work).await.unwrap();
}

#[tokio::test]
async fn client_and_server_talk_over_tls_and_resume() {
    let authority = Authority::new();
    let server = start(Rustls::new(&authority.issue("127.0.0.1").certificates()).unwrap()).await;
    let tls = ClientTls::new(&authority.root).unwrap();
    for _ in 0..2 {
        talk(&server, connect(&server, &tls).await.unwrap()).await;
    }
    assert_eq!(server.seen(), [None, None]);
}

#[tokio::test]
async fn a_server_of_another_authority_or_name_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = start(Rustls::new(&authority.issue("127.0.0.1").certificates()).unwrap()).await;
    let refused = connect(&server, &ClientTls::new(&other.root).unwrap()).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Tls { .. }), "{refused}");

    let server = start(Rustls::new(&authority.issue("csms.example").certificates()).unwrap()).await;
    let refused = connect(&server, &ClientTls::new(&authority.root).unwrap()).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Tls { .. }), "{refused}");
    assert_eq!(server.seen(), []);
}

#[tokio::test]
async fn a_wss_url_without_anybody_to_trust_is_refused_and_ws_does_not_reach_a_tls_server() {
    let authority = Authority::new();
    let server = start(Rustls::new(&authority.issue("127.0.0.1").certificates()).unwrap()).await;
    assert!(matches!(Client::connect(&server.url("CP1"), Charger).await, Err(ConnectError::NoTls)));
    assert!(matches!(Client::builder(&server.url("CP1")).reconnecting(Charger), Err(ConnectError::NoTls)));
    let plain = server.url("CP1").replace("wss:", "ws:");
    assert!(matches!(Client::connect(&plain, Charger).await, Err(ConnectError::Refused(_))));
}

/// Profile 3, and both profiles at one address.
async fn client_certificates<T: Transport>(make: impl Fn(&Certificates) -> T) {
    let (authority, other) = (Authority::new(), Authority::new());
    let certificates = authority.issue("127.0.0.1").certificates().client_ca(authority.root.as_str());
    let own = authority.issue("CP1");
    let with = ClientTls::with_certificate(&authority.root, &own.chain, &own.key).unwrap();
    let without = ClientTls::new(&authority.root).unwrap();
    let stranger = other.issue("CP1");
    let stranger = ClientTls::with_certificate(&authority.root, &stranger.chain, &stranger.key).unwrap();

    let server = start(make(&certificates)).await;
    for _ in 0..2 {
        // The second time the session is resumed.
        talk(&server, connect(&server, &with).await.unwrap()).await;
        assert_eq!(server.seen(), [Some(own.der.clone())]);
    }
    assert!(connect(&server, &without).await.is_err());
    assert!(connect(&server, &stranger).await.is_err());

    let server = start(make(&certificates.client_certificate_optional())).await;
    talk(&server, connect(&server, &with).await.unwrap()).await;
    talk(&server, connect(&server, &without).await.unwrap()).await;
    assert!(connect(&server, &stranger).await.is_err());
    assert_eq!(server.seen(), [Some(own.der), None]);
}

#[tokio::test]
async fn rustls_shows_client_certificates_to_the_authenticator() {
    client_certificates(|certificates| Rustls::new(certificates).unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_begin_tls_is_dropped_in_time() {
    let authority = Authority::new();
    let tls = Rustls::new(&authority.issue("127.0.0.1").certificates()).unwrap();
    let started = tokio::time::Instant::now();
    let server = start(tls).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
    assert!(started.elapsed() >= ServerConfig::default().handshake_timeout);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_begin_tls_is_given_up_in_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://{}/CP1", listener.local_addr().unwrap());
    let tls = ClientTls::new(&Authority::new().root).unwrap();
    let timeout = Duration::from_secs(7);
    let started = tokio::time::Instant::now();
    let refused = Client::builder(&url).tls(tls).connect_timeout(timeout).connect(Charger).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Timeout) && started.elapsed() >= timeout, "{refused}");
}

/// Certificates are renewed while a connection stands.
async fn replacement<T: Transport + Clone>(make: impl Fn(&Certificates) -> T, replace: impl Fn(&T, &Certificates)) {
    let (old, new) = (Authority::new(), Authority::new());
    let transport = make(&old.issue("127.0.0.1").certificates());
    let server = start(transport.clone()).await;
    let stands = connect(&server, &ClientTls::new(&old.root).unwrap()).await.unwrap();
    replace(&transport, &new.issue("127.0.0.1").certificates());
    assert!(connect(&server, &ClientTls::new(&old.root).unwrap()).await.is_err());
    talk(&server, stands).await;
    talk(&server, connect(&server, &ClientTls::new(&new.root).unwrap()).await.unwrap()).await;
}

#[tokio::test]
async fn rustls_takes_other_certificates_while_it_runs() {
    replacement(
        |certificates| Rustls::new(certificates).unwrap(),
        |transport, certificates| transport.replace(certificates).unwrap(),
    )
    .await;
}

fn what_cannot_be_used_is_named<T>(make: impl Fn(&Certificates) -> Result<T, TlsError>) {
    let authority = Authority::new();
    let (one, other) = (authority.issue("a"), authority.issue("b"));
    let error = |certificates: &Certificates| make(certificates).err().unwrap();
    let mixed = Certificates::from_pem(one.chain.as_str(), other.key.as_str());
    assert!(matches!(error(&mixed), TlsError::Unusable(_)), "{}", error(&mixed));
    let empty = Certificates::from_pem("", one.key.as_str());
    assert!(matches!(error(&empty), TlsError::NoCertificate("certificates")), "{}", error(&empty));
    let no_key = Certificates::from_pem(one.chain.as_str(), one.chain.as_str());
    assert!(matches!(error(&no_key), TlsError::Unreadable { what: "key", .. }), "{}", error(&no_key));
    let no_ca = one.certificates().client_ca("");
    assert!(matches!(error(&no_ca), TlsError::NoCertificate("client CA")), "{}", error(&no_ca));
    assert!(!format!("{:?}", one.certificates()).contains("KEY"));
}

#[test]
fn rustls_names_what_it_cannot_use() {
    what_cannot_be_used_is_named(Rustls::new);
    assert!(matches!(ClientTls::new("no PEM"), Err(TlsError::NoCertificate("roots"))));
}

/// What rustls does not have.
#[cfg(feature = "openssl")]
mod with_openssl {
    use std::io::{Read, Write};

    use onwire::net::OpenSsl;
    use onwire::net::openssl::rsa::Rsa;
    use onwire::net::openssl::ssl::{SslConnector, SslMethod, SslVersion};
    use onwire::net::openssl::x509::X509;
    use onwire::net::openssl::{error::ErrorStack, pkey::PKey};

    use super::*;

    #[tokio::test]
    async fn openssl_shows_client_certificates_to_the_authenticator() {
        client_certificates(|certificates| OpenSsl::new(certificates).unwrap()).await;
    }

    #[tokio::test]
    async fn openssl_takes_other_certificates_while_it_runs() {
        replacement(
            |certificates| OpenSsl::new(certificates).unwrap(),
            |transport, certificates| transport.replace(certificates).unwrap(),
        )
        .await;
    }

    #[test]
    fn openssl_names_what_it_cannot_use() {
        what_cannot_be_used_is_named(OpenSsl::new);
    }

    fn rsa_key() -> KeyPair {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap().private_key_to_pem_pkcs8().unwrap();
        KeyPair::from_pem_and_sign_algo(std::str::from_utf8(&key).unwrap(), &rcgen::PKCS_RSA_SHA256).unwrap()
    }

    /// A charge point of few words: the version, the suite and the first line of the answer to its upgrade request.
    fn upgrade(
        address: SocketAddr,
        root: &str,
        version: SslVersion,
        suites: &str,
    ) -> Result<(String, String, String), Box<dyn std::error::Error + Send + Sync>> {
        let set_up = || -> Result<_, ErrorStack> {
            let mut connector = SslConnector::builder(SslMethod::tls_client())?;
            // Security level 0, or OpenSSL itself refuses what the server has to refuse.
            connector.set_cipher_list(&format!("{suites}:@SECLEVEL=0"))?;
            connector.set_min_proto_version(Some(version))?;
            connector.set_max_proto_version(Some(version))?;
            connector.cert_store_mut().add_cert(X509::from_pem(root.as_bytes())?)?;
            Ok(connector.build())
        };
        let mut stream = set_up()?.connect("127.0.0.1", std::net::TcpStream::connect(address)?)?;
        stream.write_all(
            b"GET /ocpp/CP1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n",
        )?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        let suite = stream.ssl().current_cipher().ok_or("no suite")?.name().to_owned();
        Ok((stream.ssl().version_str().to_owned(), suite, String::from_utf8(status.to_vec())?))
    }

    /// One server with both kinds of certificate, each with an intermediate one of its own.
    #[tokio::test]
    async fn the_suites_of_the_security_whitepaper_are_there_and_no_others_before_tls_1_3() {
        let (for_rsa, for_ecdsa) = (Authority::new(), Authority::new());
        let (rsa, ecdsa) = (for_rsa.issue_for("127.0.0.1", &rsa_key()), for_ecdsa.issue("127.0.0.1"));
        let both = [
            rsa.certificates().and(ecdsa.chain.as_str(), ecdsa.key.as_str()),
            ecdsa.certificates().and(rsa.chain.as_str(), rsa.key.as_str()),
        ];
        for certificates in both {
            let server = start(OpenSsl::new(&certificates).unwrap()).await;
            let address = server.address;
            let upgraded = |authority: &Authority, version, suites: &str| {
                let (root, suites) = (authority.root.clone(), suites.to_owned());
                tokio::task::spawn_blocking(move || upgrade(address, &root, version, &suites))
            };
            for (authority, suite) in [
                (&for_rsa, "AES128-GCM-SHA256"),
                (&for_rsa, "AES256-GCM-SHA384"),
                (&for_ecdsa, "ECDHE-ECDSA-AES128-GCM-SHA256"),
                (&for_ecdsa, "ECDHE-ECDSA-AES256-GCM-SHA384"),
            ] {
                let (version, agreed, status) = upgraded(authority, SslVersion::TLS1_2, suite).await.unwrap().unwrap();
                assert_eq!((&*version, &*agreed, &*status), ("TLSv1.2", suite, "HTTP/1.1 101"));
            }
            for (version, suites) in [
                (SslVersion::TLS1_2, "ECDHE-RSA-AES128-GCM-SHA256"),
                (SslVersion::TLS1_2, "AES128-SHA:AES128-SHA256"),
                (SslVersion::TLS1_2, "ECDHE-ECDSA-CHACHA20-POLY1305"),
                (SslVersion::TLS1_1, "AES128-SHA"),
            ] {
                let refused = upgraded(&for_rsa, version, suites).await.unwrap();
                assert!(refused.is_err(), "{version:?} {suites}: {refused:?}");
            }
            let newer = upgraded(&for_ecdsa, SslVersion::TLS1_3, "AES128-SHA").await.unwrap().unwrap();
            assert_eq!((&*newer.0, &*newer.2), ("TLSv1.3", "HTTP/1.1 101"));
            talk(&server, connect(&server, &ClientTls::new(&for_ecdsa.root).unwrap()).await.unwrap()).await;
        }
    }

    /// rustls has no TLS_RSA, but both kinds of certificate.
    #[tokio::test]
    async fn rustls_shows_each_client_a_certificate_that_it_can_check() {
        let (for_rsa, for_ecdsa) = (Authority::new(), Authority::new());
        let (rsa, ecdsa) = (for_rsa.issue_for("127.0.0.1", &rsa_key()), for_ecdsa.issue("127.0.0.1"));
        let certificates = ecdsa.certificates().and(rsa.chain.as_str(), rsa.key.as_str());
        let server = start(Rustls::new(&certificates).unwrap()).await;
        let address = server.address;
        for (root, suite) in
            [(for_rsa.root, "ECDHE-RSA-AES256-GCM-SHA384"), (for_ecdsa.root, "ECDHE-ECDSA-AES256-GCM-SHA384")]
        {
            let upgraded = tokio::task::spawn_blocking(move || upgrade(address, &root, SslVersion::TLS1_2, suite));
            assert_eq!(upgraded.await.unwrap().unwrap().1, suite);
        }
    }
}
