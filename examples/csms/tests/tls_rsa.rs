//! Charge points that know the TLS_RSA cipher suites of the security whitepaper only (A00.FR.317, A00.FR.421), at a program
//! that was built with OpenSSL and has an RSA certificate.

#![cfg(feature = "openssl")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use onwire::net::openssl::pkey::PKey;
use onwire::net::openssl::rsa::Rsa;
use onwire::net::openssl::ssl::{SslConnector, SslMethod, SslVersion};
use onwire::net::openssl::x509::X509;
use rcgen::{CertificateParams, KeyPair};
use support::Csms;

/// A charge point that knows one suite; the suite and the first line of the answer to its upgrade request.
fn upgraded(address: &str, root: &str, suite: &str) -> (String, String) {
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.set_cipher_list(suite).unwrap();
    connector.set_min_proto_version(Some(SslVersion::TLS1_2)).unwrap();
    connector.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
    connector.cert_store_mut().add_cert(X509::from_pem(root.as_bytes()).unwrap()).unwrap();
    let mut stream = connector.build().connect("127.0.0.1", TcpStream::connect(address).unwrap()).unwrap();
    stream
        .write_all(
            b"GET /ocpp/CP1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n",
        )
        .unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    let agreed = stream.ssl().current_cipher().unwrap().name().to_owned();
    (agreed, String::from_utf8_lossy(&status).into_owned())
}

#[tokio::test]
async fn with_openssl_and_an_rsa_certificate_the_tls_rsa_suites_connect() {
    let data = tempfile::tempdir().unwrap();
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap().private_key_to_pem_pkcs8().unwrap();
    let key = String::from_utf8(key).unwrap();
    let pair = KeyPair::from_pem_and_sign_algo(&key, &rcgen::PKCS_RSA_SHA256).unwrap();
    let root = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().self_signed(&pair).unwrap().pem();
    let file = |name: &str, text: &str| {
        let path = data.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (certificate, key) = (file("rsa.pem", &root), file("rsa.key", &key));
    let flags = ["--tls-listen", "127.0.0.1:0", "--tls-certificate", &certificate, "--tls-key", &key];
    let csms = Csms::start_in(data.path(), &flags).await;
    let (url, _) = csms.tls.as_ref().unwrap();
    let address = url.trim_start_matches("wss://").trim_end_matches("/ocpp/").to_owned();
    for suite in ["AES128-GCM-SHA256", "AES256-GCM-SHA384"] {
        let (address, root) = (address.clone(), root.clone());
        let seen = tokio::task::spawn_blocking(move || upgraded(&address, &root, suite)).await.unwrap();
        assert_eq!(seen, (suite.to_owned(), "HTTP/1.1 101".to_owned()));
    }
}
