//! Payloads, read by the types that were generated for them.

use onwire::ActionEntry;
use onwire::alink::system;
use onwire::codec::Quirks;
use onwire::ocpp::v16;

const TABLES: [&[ActionEntry]; 3] = [v16::ACTIONS, system::ACTIONS, crate::socket::ACTIONS];

/// A byte for the protocol, one for the action, one for request or answer and for how careful the reader is, and the text.
pub fn payloads(data: &[u8]) {
    let [table, action, how, text @ ..] = data else { return };
    let (Some(table), Some(text)) = (TABLES.get(usize::from(*table) % TABLES.len()), crate::text(text)) else { return };
    let Some(action) = table.get(usize::from(*action) % table.len()) else { return };
    let payload = if how & 1 == 0 { Some(action.request) } else { action.response };
    let Some(payload) = payload else { return };
    let quirks = if how & 2 == 0 { Quirks::NONE } else { Quirks::ALL };
    if let Ok((written, _)) = payload.received(text, quirks) {
        let (again, _) = payload.received(&written, quirks).expect(action.name);
        assert_eq!(again, written, "{}", action.name);
    }
    if let Ok(sent) = payload.sendable(text) {
        let (read, noticed) = payload.received(&sent, Quirks::NONE).expect(action.name);
        assert_eq!((read, noticed), (sent, Quirks::NONE), "{}", action.name);
    }
}

/// Payloads that are near to something, for each action.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    const TEXTS: [&str; 9] = [
        "{}",
        r#"{"idTag":"A","status":"Accepted","connectorId":1,"timestamp":"2026-01-01T00:00:00Z","errorCode":"NoError","meterStart":0}"#,
        r#"{"connectorId":1,"meterValue":[{"timestamp":"2026-01-01T00:00:00.5+08:00","sampledValue":[{"value":"1.5","unit":"Wh"}]}]}"#,
        r#"{"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingSchedule":{"chargingSchedulePeriod":[{"limit":16.5}]}}}"#,
        r#"{"Power":{"value":1.5,"time":1700000000000},"Switch":1,"LightSwitch":0}"#,
        r#"["Power","Switch"]"#,
        r#"[{"attrKey":"SN","attrValue":"1"}]"#,
        r#"{"size":7,"version":"2","url":"https://x","md5":"0f","sign":"0f","signMethod":"Md5","files":[{"fileSize":7}]}"#,
        r#"{"properties":{"P":[{"value":[1,{"a":null}],"time":1}]},"events":{"E":[{"value":{},"time":"1"}]}}"#,
    ];
    let actions =
        TABLES.iter().enumerate().flat_map(|(table, actions)| (0..actions.len()).map(move |action| (table, action)));
    actions
        .flat_map(|(table, action)| {
            let head =
                |how: u8| [table, action].map(|index| u8::try_from(index).unwrap_or_default()).into_iter().chain([how]);
            let text = TEXTS.get((table + action) % TEXTS.len()).copied().unwrap_or_default();
            [0, 3].map(|how| head(how).chain(text.bytes()).collect())
        })
        .collect()
}
