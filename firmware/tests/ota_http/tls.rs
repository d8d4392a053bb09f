//! HTTPS: whose certificate is trusted.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use onwire_firmware::ota::FetchFailure;
use onwire_firmware::ota::http::{Client, ClientConfig};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::{a_fetch, image};

#[test]
fn a_server_is_trusted_by_its_roots_only() {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let chain = vec![certified.cert.der().clone()];
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = Arc::new(config);
    let server = std::thread::spawn(move || {
        for _ in 0..3 {
            let (stream, _) = listener.accept().unwrap();
            let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
            let mut head = Vec::new();
            let mut byte = [0];
            // A client that does not trust this server ends here.
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                head.push(byte[0]);
            }
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n";
            let _ =
                stream.write_all(answer).and_then(|()| stream.write_all(&image(1000))).and_then(|()| stream.flush());
        }
    });
    let ask = |host: &str, roots: Option<String>| -> Result<usize, FetchFailure> {
        let roots = roots.map(String::into_bytes);
        let mut client = Client::new(ClientConfig { https_only: true, roots, ..ClientConfig::default() }).unwrap();
        let mut download = client.open(&a_fetch(&format!("https://{host}:{port}/"), 0))?;
        let mut length = 0;
        while let Some((_, bytes)) = download.next()? {
            length += bytes.len();
        }
        Ok(length)
    };
    assert_eq!(ask("localhost", Some(certified.cert.pem())), Ok(1000));
    for failure in [ask("localhost", None), ask("127.0.0.1", Some(certified.cert.pem()))] {
        let FetchFailure::Interrupted(why) = failure.unwrap_err() else { panic!() };
        assert!(why.contains("certificate"), "{why}");
    }
    server.join().unwrap();
}
