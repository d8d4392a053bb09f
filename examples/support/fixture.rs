//! Databases of earlier versions, committed as fixtures: SQLite files, with what belongs to them in the data folder.
//!
//! A fixture is a folder named by its newest migration. On PostgreSQL (`ONWIRE_TEST_DATABASE`), the same migrations are run
//! and the rows are copied from the SQLite file, since both have the same schema of BIGINT and TEXT columns.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor, Row};

use super::database::{database, is_sqlite};

/// The name of the database file in the data folder; that of [`database`].
pub const FILE: &str = concat!(env!("CARGO_PKG_NAME"), ".db");

/// The folder of a fixture.
pub fn fixture(migration: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(migration)
}

/// Makes `data` the data folder of a server that stopped at this migration.
pub async fn unpack(migration: &str, data: &Path) {
    let folder = fixture(migration);
    copy(&folder, data);
    if !is_sqlite() {
        std::fs::remove_file(data.join(FILE)).unwrap();
        load(&folder.join(FILE), migration.parse().unwrap(), &database(data).await).await;
    }
}

/// Copies a folder. Git does not keep permissions, and keys must not be readable by others.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, target) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if path.is_dir() {
            copy(&path, &target);
            continue;
        }
        std::fs::write(&target, std::fs::read(&path).unwrap()).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

/// Fills a new PostgreSQL database with the rows of a file.
#[allow(clippy::disallowed_methods, reason = "the rows are taken over as they are")]
async fn load(file: &Path, newest: i64, database: &str) {
    sqlx::any::install_default_drivers();
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut migrator = Migrator::new(migrations).await.unwrap();
    let earlier = migrator.iter().filter(|migration| migration.version <= newest).cloned().collect();
    migrator.migrations = Cow::Owned(earlier);
    let mut to = AnyConnection::connect(database).await.unwrap();
    migrator.run(&mut to).await.unwrap();
    let mut from = AnyConnection::connect(&format!("sqlite://{}?mode=ro", file.display())).await.unwrap();
    for table in tables(&mut from).await {
        let sql = format!("SELECT name, type FROM pragma_table_info('{table}')");
        let columns: Vec<AnyRow> = from.fetch_all(AssertSqlSafe(sql)).await.unwrap();
        let columns: Vec<(String, bool)> =
            columns.iter().map(|row| (row.get(0), row.get::<String, _>(1) == "BIGINT")).collect();
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let places: Vec<String> = (1..=names.len()).map(|place| format!("${place}")).collect();
        let (names, places) = (names.join(", "), places.join(", "));
        for row in from.fetch_all(AssertSqlSafe(format!("SELECT {names} FROM {table}"))).await.unwrap() {
            let mut insert = sqlx::query(AssertSqlSafe(format!("INSERT INTO {table} ({names}) VALUES ({places})")));
            for (index, (_, is_number)) in columns.iter().enumerate() {
                insert = match is_number {
                    true => insert.bind(row.get::<Option<i64>, _>(index)),
                    false => insert.bind(row.get::<Option<String>, _>(index)),
                };
            }
            insert.execute(&mut to).await.unwrap();
        }
    }
    from.close().await.unwrap();
    to.close().await.unwrap();
}

/// The tables of a SQLite file that the program made.
async fn tables(file: &mut AnyConnection) -> Vec<String> {
    let sql =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_sqlx%' ESCAPE '\\' ORDER BY name";
    sqlx::query_scalar(sql).fetch_all(file).await.unwrap()
}

/// How many rows each table of a fixture has.
pub async fn rows(migration: &str, database: &mut AnyConnection) -> Vec<(String, i64)> {
    let file = fixture(migration).join(FILE);
    sqlx::any::install_default_drivers();
    // Reading must not leave the files of a write-ahead log beside the fixture.
    let url = format!("sqlite://{}?mode=ro&immutable=true", file.display());
    let tables = tables(&mut AnyConnection::connect(&url).await.unwrap()).await;
    let mut rows = Vec::new();
    for table in tables {
        let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        rows.push((table, sqlx::query_scalar(sql).fetch_one(&mut *database).await.unwrap()));
    }
    rows
}

/// Asserts that the members of `expected` are in `found`, at any depth; a later version may add others.
pub fn assert_has(found: &Value, expected: &Value) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            for (name, expected) in expected {
                assert_has(found.get(name).unwrap_or_else(|| panic!("{name} of {found:?}")), expected);
            }
        }
        (Value::Array(found), Value::Array(expected)) => {
            assert_eq!(found.len(), expected.len(), "{found:?}");
            found.iter().zip(expected).for_each(|(found, expected)| assert_has(found, expected));
        }
        _ => assert_eq!(found, expected),
    }
}

/// Keeps the data folder of a stopped server as the fixture of its newest migration, which must not exist yet: a fixture
/// records what an earlier version wrote, and is never written again.
pub async fn keep(data: &Path) {
    assert!(std::env::var_os("CI").is_none(), "fixtures are not recorded in CI");
    assert!(is_sqlite(), "a fixture is a SQLite file");
    sqlx::any::install_default_drivers();
    let path = data.join(FILE);
    let mut database = AnyConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let newest: i64 =
        sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations").fetch_one(&mut database).await.unwrap();
    for sql in ["PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA journal_mode = DELETE", "VACUUM"] {
        database.execute(sql).await.unwrap();
    }
    database.close().await.unwrap();
    let folder = fixture(&format!("{newest:04}"));
    assert!(!folder.exists(), "{} exists", folder.display());
    copy(data, &folder);
}
