//! A PostgreSQL that demands TLS over TCP. Without one (`ONWIRE_TEST_DATABASE_TLS`) these tests have nothing to do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's own code"
)]

mod support;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use crate::support::{Hub, database_by_tls};

#[tokio::test]
async fn a_server_is_verified_by_its_authority_and_nothing_goes_to_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let Some((url, authority)) = database_by_tls(folder.path()).await else { return };
    let database = |parameters: &str| format!("{url}?sslmode={parameters}");
    let hub = Hub::start(&["--database", &database(&format!("verify-full&sslrootcert={authority}"))]).await;
    hub.add("SN1").await;
    hub.stop().await;

    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let other = folder.path().join("other.pem");
    std::fs::write(&other, params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()).unwrap();
    for (parameters, why) in [
        (format!("verify-full&sslrootcert={}", other.display()), "sslrootcert=FILE names the authority"),
        ("verify-full".to_owned(), "sslrootcert=FILE names the authority"),
        ("disable".to_owned(), "the server demands TLS: add sslmode=verify-full"),
        (format!("require&sslrootcert={authority}"), "add sslmode=verify-full"),
    ] {
        let error = Hub::try_start(&["--database", &database(&parameters)]).await.unwrap_err();
        assert!(error.contains(why), "{parameters}: {error}");
    }
}
