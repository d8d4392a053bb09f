//! What devices have told and done: last values and history.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use sqlx::{AnyConnection, AssertSqlSafe};
use utoipa::ToSchema;

use super::{Store, StoreError, json, sql};
use crate::time::now;

/// What an entry is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A property's value.
    Property,
    /// An event.
    Event,
    /// A service, or properties that were set.
    Service,
    /// Of a topic of the user's own.
    Message,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Property => "property",
            Self::Event => "event",
            Self::Service => "service",
            Self::Message => "message",
        }
    }
}

/// Something that is to be kept.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) identifier: String,
    pub(crate) data: Value,
    /// Of a service: the answer's code, and its output.
    pub(crate) answer: Option<(i64, Value)>,
    /// When it was so, in milliseconds since 1970.
    pub(crate) time: i64,
    /// The device itself said when: what it says word for word again is kept once, also after this program's own end.
    pub(crate) is_dated: bool,
}

/// Something that was kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) kind: String,
    pub(crate) identifier: String,
    pub(crate) data: Value,
    pub(crate) code: Option<i64>,
    pub(crate) output: Option<Value>,
    pub(crate) time: i64,
}

type Row = (String, String, String, Option<i64>, Option<String>, i64);

/// Keeps entries; of properties also as their last values, unless a later one is there. Returns when they are durable.
pub(crate) async fn keep(store: &Store, device: i64, entries: Vec<Entry>) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    store.keep(entries.into_iter().map(|entry| StoredEntry::of(device, entry)).collect()).await
}

/// Writes what any number of devices have told, in few statements: each costs a round trip to the database's own thread or
/// process, which is more than what it does there.
pub(super) async fn insert(db: &mut AnyConnection, entries: &[&StoredEntry]) -> Result<(), StoreError> {
    let received = now();
    set_last(db, entries, received).await?;
    for some in in_powers_of_two(entries) {
        let sql =
            "INSERT INTO history (device_id, kind, identifier, data, code, output, time, digest, received_at) VALUES ";
        let sql = sql.to_owned() + &places(some.len(), 9) + " ON CONFLICT DO NOTHING";
        let mut query = sql::query(AssertSqlSafe(sql));
        for StoredEntry { device, kind, identifier, data, code, output, time, digest } in some {
            query = query.bind(*device).bind(kind.name()).bind(identifier.clone()).bind(data.clone());
            query = query.bind(*code).bind(output.clone()).bind(*time).bind(*digest).bind(received);
        }
        query.execute(&mut *db).await?;
    }
    Ok(())
}

/// Sets last values, unless a later one is there that is not of the future.
async fn set_last(db: &mut AnyConnection, entries: &[&StoredEntry], now: i64) -> Result<(), StoreError> {
    // One statement may write a row once only, and a batch may have many values of one property.
    let mut last: BTreeMap<(i64, &str), &StoredEntry> = BTreeMap::new();
    for entry in entries.iter().copied().filter(|entry| entry.kind == Kind::Property) {
        let known = last.entry((entry.device, &entry.identifier)).or_insert(entry);
        if known.time <= entry.time {
            *known = entry;
        }
    }
    let last: Vec<&StoredEntry> = last.into_values().collect();
    for some in in_powers_of_two(&last) {
        let sql = "INSERT INTO properties (device_id, identifier, value, time) VALUES ".to_owned()
            + &places(some.len(), 4)
            + " ON CONFLICT (device_id, identifier) DO UPDATE SET value = excluded.value, time = excluded.time
                WHERE properties.time <= excluded.time OR properties.time > $";
        // A time that lies ahead was kept when the clock was wrong: it must not keep all others out until it has come.
        let sql = format!("{sql}{}", some.len() * 4 + 1);
        let mut query = sql::query(AssertSqlSafe(sql));
        for StoredEntry { device, identifier, data, time, .. } in some {
            query = query.bind(*device).bind(identifier.clone()).bind(data.clone()).bind(*time);
        }
        query = query.bind(now);
        query.execute(&mut *db).await?;
    }
    Ok(())
}

/// Slices of 16, 8, .., 1: few texts of statements, so that each is there already. Longer ones are slower: the driver looks
/// each parameter up by its name, one after the other.
fn in_powers_of_two<T>(mut rest: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let length = 1 << rest.len().checked_ilog2()?.min(4);
        let (some, others) = rest.split_at_checked(length)?;
        rest = others;
        Some(some)
    })
}

/// A part of the SHA-256 digest, which is enough to tell apart what one device said at one time. The identifier is in it, as an
/// index of PostgreSQL takes no long texts.
fn digest_of(identifier: &str, data: &str) -> i64 {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    context.update(&identifier.len().to_be_bytes());
    context.update(identifier.as_bytes());
    context.update(data.as_bytes());
    let digest = context.finish();
    digest.as_ref().first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

/// `($1, $2), ($3, $4)`: places of so many rows.
fn places(rows: usize, columns: usize) -> String {
    let row = |row| {
        let places: Vec<String> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// An entry as a row has it.
#[derive(Debug)]
pub(super) struct StoredEntry {
    device: i64,
    kind: Kind,
    identifier: String,
    data: String,
    code: Option<i64>,
    output: Option<String>,
    time: i64,
    digest: Option<i64>,
}

impl StoredEntry {
    fn of(device: i64, entry: Entry) -> Self {
        let Entry { kind, identifier, data, answer, time, is_dated } = entry;
        let (code, output) = match answer {
            Some((code, output)) => (Some(code), Some(output.to_string())),
            None => (None, None),
        };
        // As the database will have it: last values are told apart by it before they are written.
        let (identifier, data) = (sql::storable(&identifier).into_owned(), data.to_string());
        let digest = is_dated.then(|| digest_of(&identifier, &data));
        Self { device, kind, identifier, data, code, output, time, digest }
    }
}

/// Whether the device has told just that, whenever it was.
pub(crate) async fn is_known(store: &Store, device: i64, entry: &Entry) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM history WHERE device_id = $1 AND kind = $2 AND identifier = $3 AND data = $4 LIMIT 1";
    let (identifier, data) = (sql::storable(&entry.identifier).into_owned(), entry.data.to_string());
    let query = sql::query_as(sql).bind(device).bind(entry.kind.name()).bind(identifier).bind(data);
    let found: Option<(i64,)> = query.fetch_optional(store.readers()).await?;
    Ok(found.is_some())
}

/// How many bytes of a device's messages are kept.
pub(crate) async fn size_of_messages(store: &Store, device: i64) -> Result<i64, StoreError> {
    let sql = "SELECT CAST(COALESCE(SUM(OCTET_LENGTH(data)), 0) AS BIGINT) FROM history
        WHERE device_id = $1 AND kind = 'message'";
    Ok(sql::query_scalar(sql).bind(device).fetch_one(store.readers()).await?)
}

/// Deletes the oldest messages of a device until no more bytes are left than that; how many are.
pub(crate) async fn delete_messages(store: &Store, device: i64, most: i64) -> Result<i64, StoreError> {
    loop {
        let size = size_of_messages(store, device).await?;
        if size <= most {
            return Ok(size);
        }
        store.write(move |db| Box::pin(delete_oldest_messages(db, device, size - most))).await?;
    }
}

/// Deletes messages of so many bytes, and one more, but not very many at once: others wait for it.
async fn delete_oldest_messages(db: &mut AnyConnection, device: i64, bytes: i64) -> Result<(), StoreError> {
    let old = |place| {
        format!(
            "SELECT {place} FROM (SELECT {place}, SUM(OCTET_LENGTH(data)) OVER (ORDER BY time, {place}) - OCTET_LENGTH(data)
                AS before FROM history WHERE device_id = $1 AND kind = 'message') AS oldest
                WHERE before < $2 ORDER BY before LIMIT 500"
        )
    };
    let sql = match db.backend_name() {
        "PostgreSQL" => format!("DELETE FROM history WHERE ctid = ANY(ARRAY({}))", old("ctid")),
        _ => format!("DELETE FROM history WHERE rowid IN ({})", old("rowid")),
    };
    sql::query(AssertSqlSafe(sql)).bind(device).bind(bytes).execute(&mut *db).await?;
    Ok(())
}

/// Last values: identifier, value and time.
pub(crate) async fn last(store: &Store, device: i64) -> Result<Vec<(String, Value, i64)>, StoreError> {
    let sql = "SELECT identifier, value, time FROM properties WHERE device_id = $1 ORDER BY identifier";
    let rows: Vec<(String, String, i64)> = sql::query_as(sql).bind(device).fetch_all(store.readers()).await?;
    rows.into_iter().map(|(identifier, value, time)| Ok((identifier, json(&value)?, time))).collect()
}

/// What is wanted of the history.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) kind: Option<Kind>,
    pub(crate) identifier: Option<String>,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) limit: i64,
}

/// The latest entries first.
pub(crate) async fn list(store: &Store, device: i64, wanted: Wanted) -> Result<Vec<Kept>, StoreError> {
    let sql = "SELECT kind, identifier, data, code, output, time FROM history WHERE device_id = $1
        AND (CAST($2 AS TEXT) IS NULL OR kind = $2) AND (CAST($3 AS TEXT) IS NULL OR identifier = $3)
        AND time >= $4 AND time < $5 ORDER BY time DESC LIMIT $6";
    let query = sql::query_as(sql).bind(device).bind(wanted.kind.map(Kind::name)).bind(wanted.identifier);
    let query = query.bind(wanted.from).bind(wanted.to).bind(wanted.limit);
    let rows: Vec<Row> = query.fetch_all(store.readers()).await?;
    let kept = |(kind, identifier, data, code, output, time): Row| {
        let output = output.map(|output| json(&output)).transpose()?;
        Ok(Kept { kind, identifier, data: json(&data)?, code, output, time })
    };
    rows.into_iter().map(kept).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sqlx::Executor;

    use super::*;

    const COUNT: usize = 300;

    #[test]
    fn slices_have_every_entry_once_and_few_lengths() {
        for count in [0, 1, 2, 3, 127, 128, 129, 300, 511] {
            let all: Vec<usize> = (0..count).collect();
            assert_eq!(in_powers_of_two(&all).collect::<Vec<_>>().concat(), all);
            assert!(in_powers_of_two(&all).all(|some| some.len().is_power_of_two() && some.len() <= 16));
        }
    }

    #[tokio::test]
    async fn of_many_values_in_one_message_all_are_history_and_the_latest_is_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/hub.db", folder.path().display())).await.unwrap();
        let entry = |identifier: &str, time: i64, kind| Entry {
            kind,
            identifier: identifier.to_owned(),
            data: json!(time),
            answer: None,
            time,
            is_dated: false,
        };
        // More than one statement holds, with the latest neither first nor last.
        let count = i64::try_from(COUNT).unwrap();
        let mut entries: Vec<Entry> = (1..=count).map(|time| entry("Power", time, Kind::Property)).collect();
        entries.rotate_left(COUNT / 5);
        entries.push(entry("Power", count + 1, Kind::Event));
        entries.push(entry("Speed\0", 1, Kind::Property));
        keep(&store, 1, entries).await.unwrap();
        keep(&store, 1, vec![entry("Power", 1, Kind::Property)]).await.unwrap();
        let expected = [("Power".to_owned(), json!(count), count), ("Speed\u{fffd}".to_owned(), json!(1), 1)];
        assert_eq!(last(&store, 1).await.unwrap(), expected);
        let wanted = Wanted { identifier: Some("Power".to_owned()), to: i64::MAX, limit: 1000, ..Wanted::default() };
        let kept = list(&store, 1, wanted).await.unwrap();
        assert_eq!(kept.len(), COUNT + 2);
        assert_eq!((kept[0].kind.as_str(), kept[0].time), ("event", count + 1));
        store.close().await;
    }

    #[tokio::test]
    async fn what_the_database_refuses_keeps_nobody_else_out() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/hub.db", folder.path().display())).await.unwrap();
        let trigger = "CREATE TRIGGER no_bad BEFORE INSERT ON history WHEN NEW.identifier = 'bad'
            BEGIN SELECT RAISE(ABORT, 'bad'); END";
        store.write(move |db| Box::pin(async move { Ok(db.execute(trigger).await.map(|_| ())?) })).await.unwrap();
        let told = |identifier: &str| {
            vec![Entry {
                kind: Kind::Property,
                identifier: identifier.to_owned(),
                data: json!(1),
                answer: None,
                time: 1,
                is_dated: false,
            }]
        };
        let (one, bad, other) =
            tokio::join!(keep(&store, 1, told("a")), keep(&store, 2, told("bad")), keep(&store, 3, told("b")));
        assert!(
            one.is_ok() && other.is_ok() && matches!(bad, Err(StoreError::Database(_))),
            "{one:?} {bad:?} {other:?}"
        );
        for (device, count) in [(1, 1), (2, 0), (3, 1)] {
            assert_eq!(last(&store, device).await.unwrap().len(), count);
        }
        store.close().await;
    }

    #[tokio::test]
    async fn what_a_device_dates_is_kept_once_however_often_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/hub.db", folder.path().display());
        let told = |data: i64, is_dated| {
            let data = json!(data);
            vec![Entry { kind: Kind::Event, identifier: "a".to_owned(), data, answer: None, time: 1, is_dated }]
        };
        for _ in 0..2 {
            // Opened anew: it is not this program that remembers.
            let store = Store::open(&url).await.unwrap();
            for entries in [told(1, true), told(2, true), [told(3, true), told(3, true)].concat(), told(4, false)] {
                keep(&store, 1, entries).await.unwrap();
            }
            store.close().await;
        }
        let store = Store::open(&url).await.unwrap();
        let wanted = Wanted { to: i64::MAX, limit: 1000, ..Wanted::default() };
        let mut kept: Vec<_> = list(&store, 1, wanted).await.unwrap().into_iter().map(|kept| kept.data).collect();
        kept.sort_by_key(Value::as_i64);
        assert_eq!(kept, [json!(1), json!(2), json!(3), json!(4), json!(4)]);
        store.close().await;
    }
}
