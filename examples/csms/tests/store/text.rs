//! U+0000 in texts: PostgreSQL rejects it, SQLite takes it. Both have U+FFFD instead, in what is written and in what is
//! looked for.

use csms::store::records::audit::{self, NewEntry};
use csms::store::records::columns::{Flag, Time};
use csms::store::records::id_tags::{self, Filter, IdTag};
use csms::store::records::{charge_points, configuration};
use csms::store::{MeterValue, Sample, folded};

use super::batches::values;
use super::{set, settings, store};

#[tokio::test]
async fn a_text_with_u_0000_is_written_and_found_again() {
    let (store, _data) = store().await;
    set(&store, "a\0b").await.unwrap();
    assert_eq!(settings(&store).await, ["a\u{fffd}b"]);

    let tag = IdTag {
        folded: folded("Tag\0"),
        id_tag: "Tag\0".into(),
        status: "Accepted".into(),
        expiry_at: None,
        parent_id_tag: Some("P\0".into()),
        tag_group: Some("G\0".into()),
        note: Some("N\0".into()),
        created_at: Time(0),
        too_long: Flag(0),
    };
    store.write(|db| Box::pin(id_tags::put(db, tag))).await.unwrap();
    for wanted in ["tag\0", "TAG\u{fffd}"] {
        let found = id_tags::get(&store, wanted).await.unwrap().unwrap();
        assert_eq!((found.id_tag.as_str(), found.note.as_deref()), ("Tag\u{fffd}", Some("N\u{fffd}")));
    }
    for filter in [
        Filter { q: Some("ag\0".into()), ..Filter::default() },
        Filter { group: Some("G\0".into()), ..Filter::default() },
    ] {
        assert_eq!(id_tags::list(&store, &filter, None, 10).await.unwrap().len(), 1);
        assert_eq!(id_tags::count(&store, &filter).await.unwrap(), 1);
    }

    let settings = charge_points::Settings { note: Some(Some("note\0".into())), ..Default::default() };
    let entered = store.write(|db| Box::pin(async move { charge_points::enter(db, "CP\0", &settings).await }));
    assert!(entered.await.unwrap());
    let found = charge_points::get(&store, "CP\0").await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.note.as_deref()), ("CP\u{fffd}", Some("note\u{fffd}")));
    assert_eq!(charge_points::with_ids(&store, &["CP\0".to_owned()]).await.unwrap().len(), 1);

    let keep = store.write(|db| Box::pin(configuration::keep(db, "CP\0", "Number\0", Some("7"), false)));
    keep.await.unwrap();
    assert_eq!(configuration::number(&store, "CP\0", "number\0").await.unwrap(), Some(7));
    let keep = store.write(|db| Box::pin(configuration::keep(db, "CP\0", "Number\u{fffd}", Some("8\0"), false)));
    keep.await.unwrap();
    let keys = configuration::list(&store, "CP\0").await.unwrap();
    assert_eq!((keys.len(), keys[0].value.as_deref()), (1, Some("8\u{fffd}")));

    let entry = NewEntry {
        actor: "user:\0".into(),
        action: "a\0".into(),
        target: "t\0".into(),
        detail: "\"d\"".into(),
        outcome: "o\0".into(),
    };
    store.write(|db| Box::pin(audit::enter(db, entry))).await.unwrap();
    let found = &audit::list(&store, None, 10).await.unwrap()[0];
    assert_eq!((found.actor.as_str(), found.outcome.as_str()), ("user:\u{fffd}", "o\u{fffd}"));

    let value = MeterValue { value: "1\0".into(), unit: Some("Wh\0".into()), ..values(1..2).next().unwrap() };
    for _ in 0..2 {
        store.meter_values().push(Sample::of_message([value.clone()])).await.unwrap();
    }
    store.meter_values().flush().await.unwrap();
    let kept: Vec<(String, String)> =
        sqlx::query_as("SELECT value, unit FROM meter_values").fetch_all(store.readers()).await.unwrap();
    assert_eq!(kept, [("1\u{fffd}".to_owned(), "Wh\u{fffd}".to_owned())]);
    assert_eq!(store.meter_values().lost(), 0);
}
