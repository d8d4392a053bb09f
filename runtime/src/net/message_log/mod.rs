//! The message log: every frame as it crosses the wire, at level DEBUG with the target `onwire::messages`, without
//! secrets.

mod edits;
mod properties;
mod urls;

use std::borrow::Cow;

use self::edits::then;
use crate::{Dialect, Peer};

const MASK: &str = "***";

pub(super) fn received(peer: &Peer, frame: &str) {
    if tracing::enabled!(target: "onwire::messages", tracing::Level::DEBUG) {
        let frame = masked(peer.dialect(), frame);
        tracing::debug!(target: "onwire::messages", identity = peer.identity(), %frame, "received");
    }
}

pub(super) fn sent(peer: &Peer, frame: &str) {
    if tracing::enabled!(target: "onwire::messages", tracing::Level::DEBUG) {
        let frame = masked(peer.dialect(), frame);
        tracing::debug!(target: "onwire::messages", identity = peer.identity(), %frame, "sent");
    }
}

/// Returns the text of a frame or a payload with its secrets replaced by `***`, fit for a log.
///
/// Secrets are what the protocol says ([`Secrets`](crate::Secrets)), and in URLs the user's name and password, tokens in
/// the path and signatures in the query. Text that is not JSON is searched as well, and JSON that stands as text in JSON.
///
/// ```
/// use onwire::net::masked;
/// # #[cfg(feature = "ocpp16")] {
/// use onwire::ocpp::v16;
///
/// let payload = r#"{"key":"AuthorizationKey","value":"0001020304"}"#;
/// assert_eq!(masked(&v16::DIALECT, payload), r#"{"key":"AuthorizationKey","value":"***"}"#);
/// # }
/// ```
pub fn masked<'t>(dialect: &Dialect, text: &'t str) -> Cow<'t, str> {
    let secrets = &dialect.secrets;
    let mut masked = properties::mask(text, secrets.properties());
    if secrets.keys().iter().any(|key| properties::has_name(text, key)) {
        masked = then(masked, |text| properties::mask(text, secrets.key_values()));
    }
    masked = then(masked, urls::mask_user_info);
    masked = then(masked, urls::mask_tokens);
    then(masked, urls::mask_signatures)
}

#[cfg(test)]
mod tests {
    use super::masked;
    use crate::{Dialect, Secrets};

    static DIALECT: Dialect = Dialect {
        name: "test",
        subprotocols: &[],
        framing: &crate::ocpp::j::FRAMING_1_6,
        actions: &[],
        fresh: &[],
        spell: crate::ocpp::j::spell_1_6,
        secrets: Secrets::of(&["deviceSecret", "password", "simPin"])
            .with_keys(&["AuthorizationKey", "BasicAuthPassword"], &["attributeValue", "value"]),
    };

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let cases = [
            (
                r#"[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"0001\"02"}]"#,
                r#"[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"***"}]"#,
            ),
            (
                r#"[2,"1","ChangeConfiguration",{"value" : "00", "key":"authorizationKEY"}]"#,
                r#"[2,"1","ChangeConfiguration",{"value" : "***", "key":"authorizationKEY"}]"#,
            ),
            (
                r#"[2,"1","SetVariables",{"setVariableData":[{"attributeValue":"s3","variable":{"name":"BasicAuthPassword"}}]}]"#,
                r#"[2,"1","SetVariables",{"setVariableData":[{"attributeValue":"***","variable":{"name":"BasicAuthPassword"}}]}]"#,
            ),
            (
                r#"[2,"1","GetDiagnostics",{"location":"ftp://user:p@ss@host/x?a=b@c"}]"#,
                r#"[2,"1","GetDiagnostics",{"location":"ftp://***@host/x?a=b@c"}]"#,
            ),
            (
                r#"[2,"1","UpdateFirmware",{"location":"http://host:80/files/0aZ_-0aZ_-0aZ_-0aZ_-0aZ_-0aZ_-0aZ_-0aZ_-xyz/fw.bin","x":"http://h/0aZ_-0aZ_-0aZ_-0aZ_-0aZ_-0aZ_-0aZ_-0aZ_-xyz"}]"#,
                r#"[2,"1","UpdateFirmware",{"location":"http://host:80/files/***/fw.bin","x":"http://h/***"}]"#,
            ),
            (
                r#"{"url":"https://h.oss.example/fw.bin?Expires=1700000000&OSSAccessKeyId=LTAI5&Signature=a%2Bb%3D","size":1}"#,
                r#"{"url":"https://h.oss.example/fw.bin?Expires=1700000000&OSSAccessKeyId=LTAI5&Signature=***","size":1}"#,
            ),
            (
                r#"{"url":"https://h/fw.bin?X-Amz-Credential=AK%2F2&X-Amz-Date=2&security-token=CAIS&sig=x#top","to":"http://h/?token="}"#,
                r#"{"url":"https://h/fw.bin?X-Amz-Credential=***&X-Amz-Date=2&security-token=***&sig=***#top","to":"http://h/?token=***"}"#,
            ),
            (
                r#"{"url":"https:\/\/u:p@h\/0aZ_-0aZ_-0aZ_-0aZ_-0aZ_-0aZ_-0aZ_-0aZ_-xyz\/x?a=1\u0026Signature\u003db\u0026c=2"}"#,
                r#"{"url":"https:\/\/***@h\/***\/x?a=1\u0026Signature\u003d***\u0026c=2"}"#,
            ),
            (
                r#"{"url":"http://h/files/firmware/0123456789abcdef0123456789ABCDEF/fw.bin","md5":"0123456789abcdef0123456789abcdef"}"#,
                r#"{"url":"http://h/files/firmware/***/fw.bin","md5":"0123456789abcdef0123456789abcdef"}"#,
            ),
            (r#"http://a/?u=http://b/?sign=1&sign=2"#, r#"http://a/?u=http://b/?sign=***&sign=***"#),
            (
                r#"{"id":"1","code":200,"data":[{"deviceName":"M1","deviceSecret":"s"},{"deviceSecret":"t"}]}"#,
                r#"{"id":"1","code":200,"data":[{"deviceName":"M1","deviceSecret":"***"},{"deviceSecret":"***"}]}"#,
            ),
            (r#"{"vpn":{"password":"x","user":"u"}}"#, r#"{"vpn":{"password":"***","user":"u"}}"#),
            (r#"{"simPin": 1234, "password":-0.5e3}"#, r#"{"simPin": "***", "password":"***"}"#),
            (
                r#"{"password":{"value":"a}\"","time":[1]},"b":1,"simPin":["]",[{}]] ,"c":2}"#,
                r#"{"password":"***","b":1,"simPin":"***" ,"c":2}"#,
            ),
            (
                r#"[2,"1","DataTransfer",{"data":"{\"password\": \"a\\\"b\",\"simPin\":12,\"x\":\"y\"}","vendorId":"v"}]"#,
                r#"[2,"1","DataTransfer",{"data":"{\"password\": \"***\",\"simPin\":\"***\",\"x\":\"y\"}","vendorId":"v"}]"#,
            ),
            (
                r#"{"a":"{\"b\":\"{\\\"password\\\":\\\"c\\\"}\",\"password\":\"d","password":"e"}"#,
                r#"{"a":"{\"b\":\"{\\\"password\\\":\\\"***\\\"}\",\"password\":\"***","password":"***"}"#,
            ),
            (r#"5" too long: "password":"x""#, r#"5" too long: "password":"***""#),
            (r#"{"password":"never ends"#, r#"{"password":"***"#),
            (r#"{"password":{"never":"ends"#, r#"{"password":"***""#),
            (r#"{"password":12"#, r#"{"password":"***""#),
        ];
        for (frame, expected) in cases {
            assert_eq!(masked(&DIALECT, frame), expected);
        }
    }

    #[test]
    fn everything_else_stays() {
        for frame in [
            r#"[2,"1","ChangeConfiguration",{"key":"HeartbeatInterval","value":"300"}]"#,
            r#"[2,"1","GetDiagnostics",{"location":"https://host/x@y"}]"#,
            r#"[2,"1","GetDiagnostics",{"location":"https://host/a-folder/firmware-of-a-charge-point-version-1.2.3.bin?x=/y"}]"#,
            r#"{"url":"https://host/x?design=1&tokens"}"#,
            r#"{"a":"password","password":null,"simPin" : null}"#,
            r#"{"password":"#,
            r#"{"password":,"a":1}"#,
            r#""password""#,
            "password",
            "\"\\",
            "://",
            "://?",
            "",
        ] {
            assert_eq!(masked(&DIALECT, frame), frame);
        }
    }

    #[test]
    fn a_protocol_masks_its_own_secrets_only() {
        static NONE: Dialect = Dialect { secrets: Secrets::NONE, ..DIALECT };
        let frame = r#"{"key":"AuthorizationKey","value":"a","password":"b","url":"http://u:p@h/"}"#;
        assert_eq!(masked(&NONE, frame), frame.replace("u:p", "***"));
    }

    #[cfg(feature = "ocpp16")]
    #[test]
    fn ocpp_says_which_keys_are_secret() {
        let answer = r#"[3,"1",{"configurationKey":[{"key":"AuthorizationKey","readonly":false,"value":"s"}]}]"#;
        assert!(!masked(&crate::ocpp::v16::DIALECT, answer).contains(r#""s""#));
    }

    #[cfg(feature = "alink")]
    #[test]
    fn the_system_messages_of_alink_say_what_is_secret() {
        let secrets = crate::alink::system::DIALECT.secrets.properties();
        assert_eq!(secrets, ["deviceSecret", "deviceToken", "password", "productSecret", "sign"]);
    }
}
