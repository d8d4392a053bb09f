//! The message log: every frame as it crosses the wire, at level DEBUG with the target `onwire::messages`, without
//! secrets.

use std::borrow::Cow;

use crate::Peer;

/// Configuration keys whose values are secrets: OCPP 1.6 security whitepaper A00, and the device model's name in 2.x.
const SECRET_KEYS: [&str; 2] = ["authorizationkey", "basicauthpassword"];

/// Properties that hold the value of a configuration key.
const KEY_VALUES: [&str; 2] = ["value", "attributeValue"];

/// Properties that are secrets themselves.
const SECRETS: [&str; 2] = ["password", "apnPassword"];

/// The length from which on a part of a URL's path counts as a credential: 240 bits in Base64.
const TOKEN: usize = 40;

const MASK: &str = "***";

pub(super) fn received(peer: &Peer, frame: &str) {
    if tracing::enabled!(target: "onwire::messages", tracing::Level::DEBUG) {
        tracing::debug!(target: "onwire::messages", identity = peer.identity(), frame = %masked(frame), "received");
    }
}

pub(super) fn sent(peer: &Peer, frame: &str) {
    if tracing::enabled!(target: "onwire::messages", tracing::Level::DEBUG) {
        tracing::debug!(target: "onwire::messages", identity = peer.identity(), frame = %masked(frame), "sent");
    }
}

/// The text of a frame or a payload with its secrets (`AuthorizationKey`, passwords, user names in URLs) replaced by `***`,
/// fit for a log; what is no JSON is searched all the same.
pub fn masked(frame: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(frame);
    let lower = frame.to_ascii_lowercase();
    if SECRET_KEYS.iter().any(|key| lower.contains(key)) {
        KEY_VALUES.iter().for_each(|property| mask_property(&mut text, property));
    }
    SECRETS.iter().for_each(|property| mask_property(&mut text, property));
    mask_user_info(&mut text);
    mask_tokens(&mut text);
    text
}

/// Masks the strings that are values of that property.
fn mask_property(text: &mut Cow<'_, str>, property: &str) {
    let quoted = format!("\"{property}\"");
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find(&quoted)) {
        let after = from + found + quoted.len();
        from = after;
        let rest = text.get(after..).unwrap_or("");
        let value = rest.trim_start().strip_prefix(':').map(str::trim_start);
        let Some(value) = value.and_then(|value| value.strip_prefix('"')) else { continue };
        let start = after + (rest.len() - value.len());
        let length = string_length(value);
        text.to_mut().replace_range(start..start + length, MASK);
        from = start + MASK.len();
    }
}

/// The length of a JSON string up to its closing quote.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return index,
            _ => {}
        }
    }
    text.len()
}

/// Masks `user:password@` in URLs, as GetDiagnostics and UpdateFirmware have them.
fn mask_user_info(text: &mut Cow<'_, str>) {
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find("://")) {
        let start = from + found + 3;
        let rest = text.get(start..).unwrap_or("");
        let authority = rest.find(['/', '"', ' ', '?', '#']).and_then(|end| rest.get(..end)).unwrap_or(rest);
        from = start;
        if let Some(end) = authority.rfind('@') {
            text.to_mut().replace_range(start..start + end, MASK);
            from = start + MASK.len();
        }
    }
}

/// Masks parts of URLs' paths that are as long and as random as nobody writes by hand: there are charge points that can
/// only be given a credential there.
fn mask_tokens(text: &mut Cow<'_, str>) {
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find("://")) {
        from += found + 3;
        let mut start = from;
        while let Some(rest) = text.get(start..) {
            let end = rest.find(['/', '"', ' ', '?', '#']).unwrap_or(rest.len());
            let is_last = !rest.get(end..).unwrap_or("").starts_with('/');
            let part = rest.get(..end).unwrap_or("");
            let is_plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
            let is_token = start > from && end >= TOKEN && is_plain;
            if is_token {
                text.to_mut().replace_range(start..start + end, MASK);
            }
            start += if is_token { MASK.len() } else { end } + 1;
            if is_last {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::masked;

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
            (r#"{"vpn":{"password":"x","user":"u"}}"#, r#"{"vpn":{"password":"***","user":"u"}}"#),
            (r#"{"password":"never ends"#, r#"{"password":"***"#),
        ];
        for (frame, expected) in cases {
            assert_eq!(masked(frame), expected);
        }
    }

    #[test]
    fn everything_else_stays() {
        for frame in [
            r#"[2,"1","ChangeConfiguration",{"key":"HeartbeatInterval","value":"300"}]"#,
            r#"[2,"1","GetDiagnostics",{"location":"https://host/x@y"}]"#,
            r#"[2,"1","GetDiagnostics",{"location":"https://host/a-folder/firmware-of-a-charge-point-version-1.2.3.bin?x=/y"}]"#,
            "password",
            "://",
        ] {
            assert_eq!(masked(frame), frame);
        }
    }
}
