//! Which database a test uses: if `ONWIRE_TEST_DATABASE` is the URL of a database on a PostgreSQL server, another one on that
//! server, made for the test; else a file. The tests of each program of `examples/` that has a database take this in by its
//! path.

use std::path::Path;

use sqlx::any::install_default_drivers;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor};

/// The database of the test with that folder; the same each time.
pub async fn database(data: &Path) -> String {
    let Ok(server) = std::env::var("ONWIRE_TEST_DATABASE") else {
        return format!("sqlite://{}", data.join(concat!(env!("CARGO_PKG_NAME"), ".db")).display());
    };
    let name = data.file_name().unwrap().to_str().unwrap().bytes().fold("test_".to_owned(), |name, byte| {
        // Names of temporary folders differ in case, which names of databases do not have.
        name + &format!("{byte:02x}")
    });
    install_default_drivers();
    let mut connection = AnyConnection::connect(&server).await.unwrap();
    let sql = format!("SELECT datname::TEXT FROM pg_database WHERE datname = '{name}'");
    if connection.fetch_optional(AssertSqlSafe(sql)).await.unwrap().is_none() {
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    }
    connection.close().await.unwrap();
    let (server, _) = server.rsplit_once('/').expect("a URL with the name of a database");
    format!("{server}/{name}")
}

/// The database of the test with that folder at its server's TCP port, which demands TLS, and the file with the authority of
/// the server. `None` without such a server: then `ONWIRE_TEST_DATABASE_TLS` and `ONWIRE_TEST_DATABASE_CA` are not set.
pub async fn database_by_tls(data: &Path) -> Option<(String, String)> {
    let (server, authority) =
        (std::env::var("ONWIRE_TEST_DATABASE_TLS").ok()?, std::env::var("ONWIRE_TEST_DATABASE_CA").ok()?);
    let database = database(data).await;
    let (_, name) = database.rsplit_once('/').expect("a URL with the name of a database");
    Some((format!("{server}/{name}"), authority))
}

/// Whether tests use files.
pub fn is_sqlite() -> bool {
    std::env::var_os("ONWIRE_TEST_DATABASE").is_none()
}

/// A connection to it, beside those of the program.
pub async fn look_into(data: &Path) -> AnyConnection {
    let url = database(data).await;
    install_default_drivers();
    AnyConnection::connect(&url).await.unwrap()
}
