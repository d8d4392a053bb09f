//! A PostgreSQL that demands TLS over TCP. Without one (`ONWIRE_TEST_DATABASE_TLS`) these tests have nothing to do.

use csms::store::Store;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use super::support::database_by_tls;
use super::{set, settings};

/// Why the database cannot be opened.
async fn refused(url: String) -> String {
    format!("{:#}", Store::open(&url).await.expect_err(&url))
}

#[tokio::test]
async fn a_server_is_verified_by_its_authority_and_everything_is_encrypted() {
    let data = tempfile::tempdir().unwrap();
    let Some((url, authority)) = database_by_tls(data.path()).await else { return };
    let store = Store::open(&format!("{url}?sslmode=verify-full&sslrootcert={authority}")).await.unwrap();
    set(&store, "a").await.unwrap();
    assert_eq!(settings(&store).await, ["a"]);
    let sql = "SELECT COUNT(*) FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl";
    let is_encrypted: i64 = sqlx::query_scalar(sql).fetch_one(store.readers()).await.unwrap();
    assert_eq!(is_encrypted, 1);
    store.close().await;
    // The certificate is for the address alone.
    let by_name = url.replace("127.0.0.1", "localhost");
    let parameters = |mode: &str| format!("{by_name}?sslmode={mode}&sslrootcert={authority}");
    let error = refused(parameters("verify-full")).await;
    assert!(error.contains("certificate is rejected") && error.contains("localhost"), "{error}");
    Store::open(&parameters("verify-ca")).await.unwrap().close().await;
}

#[tokio::test]
async fn a_server_of_another_authority_is_rejected() {
    let data = tempfile::tempdir().unwrap();
    let Some((url, _)) = database_by_tls(data.path()).await else { return };
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let other = data.path().join("other.pem");
    std::fs::write(&other, params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()).unwrap();
    for parameters in [format!("&sslrootcert={}", other.display()), String::new()] {
        let error = refused(format!("{url}?sslmode=verify-full{parameters}")).await;
        assert!(error.contains("sslrootcert=FILE names the authority") && error.contains("UnknownIssuer"), "{error}");
    }
}

#[tokio::test]
async fn without_tls_the_operator_is_told_that_the_server_demands_it() {
    let data = tempfile::tempdir().unwrap();
    let Some((url, _)) = database_by_tls(data.path()).await else { return };
    let error = refused(format!("{url}?sslmode=disable")).await;
    assert!(error.contains("the server demands TLS: add sslmode=verify-full"), "{error}");
}
