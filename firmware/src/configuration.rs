//! Configuration keys (OCPP 1.6 §9).

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use onwire::ocpp::v16::{GetConfigurationRequest, GetConfigurationResponse, KeyValue};

/// The keys that the behaviour goes by. They are set by the firmware; the central system reads them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Configuration {
    /// `HeartbeatInterval`, until an accepted BootNotification says otherwise. Default 300 s.
    pub heartbeat_interval: Duration,
    /// `MeterValueSampleInterval`; zero turns periodic readings off (OCPP 1.6 §9.1.19). Default 60 s.
    pub meter_value_sample_interval: Duration,
    /// `AuthorizeRemoteTxRequests`: whether a remote start is authorized first (OCPP 1.6 §5.11). Default yes.
    pub authorize_remote_tx_requests: bool,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::from_secs(300),
            meter_value_sample_interval: Duration::from_secs(60),
            authorize_remote_tx_requests: true,
        }
    }
}

impl Configuration {
    /// Answers which of the keys exist; no key or an empty list asks for all (OCPP 1.6 §5.8).
    pub(crate) fn answer(
        &self,
        request: &GetConfigurationRequest,
        connectors: usize,
        heartbeat_interval: Duration,
    ) -> GetConfigurationResponse {
        let all = [
            ("AuthorizeRemoteTxRequests", self.authorize_remote_tx_requests.to_string()),
            ("HeartbeatInterval", seconds(heartbeat_interval)),
            ("MeterValueSampleInterval", seconds(self.meter_value_sample_interval)),
            ("NumberOfConnectors", connectors.to_string()),
            ("SupportedFeatureProfiles", "Core".to_string()),
        ];
        let key_value =
            |(key, value): &(&str, String)| KeyValue { value: Some(value.into()), ..KeyValue::new(*key, true) };
        let asked = request.key.as_deref().unwrap_or_default();
        if asked.is_empty() {
            return GetConfigurationResponse {
                configuration_key: Some(all.iter().map(key_value).collect()),
                ..Default::default()
            };
        }
        // Names of keys are case-insensitive.
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for key in asked {
            match all.iter().find(|(name, _)| *key == *name) {
                Some(found) => known.push(key_value(found)),
                None => unknown.push(key.clone()),
            }
        }
        // An empty list is never sent.
        GetConfigurationResponse {
            configuration_key: (!known.is_empty()).then_some(known),
            unknown_key: (!unknown.is_empty()).then_some(unknown),
        }
    }
}

fn seconds(duration: Duration) -> String {
    duration.as_secs().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn no_key_asks_for_all_and_unknown_keys_are_told_apart() {
        let configuration = Configuration::default();
        let all = configuration.answer(&GetConfigurationRequest { key: Some(vec![]) }, 2, Duration::from_secs(10));
        assert_eq!(all.configuration_key.unwrap().len(), 5);
        assert_eq!(all.unknown_key, None);
        let request = GetConfigurationRequest { key: Some(vec!["numberofconnectors".into(), "Colour".into()]) };
        let some = configuration.answer(&request, 2, Duration::ZERO);
        let known = some.configuration_key.unwrap();
        assert_eq!((known.len(), known[0].value.as_deref()), (1, Some("2")));
        assert_eq!(some.unknown_key.unwrap(), ["Colour"]);
        let request = GetConfigurationRequest { key: Some(vec!["Colour".into()]) };
        assert_eq!(configuration.answer(&request, 2, Duration::ZERO).configuration_key, None);
    }
}
