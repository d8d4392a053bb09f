//! Credentials in URLs. In JSON a slash may be written `\/`, an ampersand `\u0026`.

use std::borrow::Cow;

use super::MASK;
use super::edits::Edits;

/// The length from which on a part of a URL's path counts as a credential: 240 bits in Base64.
const TOKEN: usize = 40;

/// The same if all of it are hexadecimal digits: 128 bits.
const HEXADECIMAL: usize = 32;

/// Parameters of queries whose names end in one of these words are credentials: signatures and tokens of object stores,
/// passwords.
const SIGNED: [&str; 7] = ["signature", "sign", "sig", "token", "credential", "secret", "password"];

/// Where each URL's authority begins, behind the `//`.
fn authorities(text: &str) -> impl Iterator<Item = usize> {
    text.match_indices(':').filter_map(|(colon, _)| {
        let slash = |text: &'_ str| text.trim_start_matches('\\').strip_prefix('/').map(str::len);
        let rest = slash(text.get(colon + 1..)?)?;
        let rest = slash(text.get(text.len() - rest..)?)?;
        Some(text.len() - rest)
    })
}

/// Masks `user:password@` in URLs, as GetDiagnostics and UpdateFirmware have them.
pub(super) fn mask_user_info(text: &str) -> Cow<'_, str> {
    let mut edits = Edits::of(text);
    for start in authorities(text) {
        let rest = text.get(start..).unwrap_or("");
        let authority = rest.find(['/', '"', ' ', '?', '#']).and_then(|end| rest.get(..end)).unwrap_or(rest);
        if let Some(end) = authority.rfind('@') {
            edits.replace(start..start + end, MASK);
        }
    }
    edits.finish()
}

/// Masks parts of URLs' paths that are as long and as random as nobody writes by hand: there are charge points that can
/// only be given a credential there.
pub(super) fn mask_tokens(text: &str) -> Cow<'_, str> {
    let mut edits = Edits::of(text);
    for authority in authorities(text) {
        let mut start = authority;
        while let Some(rest) = text.get(start..) {
            let end = rest.find(['/', '"', ' ', '?', '#']).unwrap_or(rest.len());
            let part = rest.get(..end).unwrap_or("").trim_end_matches('\\');
            if start > authority && is_token(part) {
                edits.replace(start..start + part.len(), MASK);
            }
            if !rest.get(end..).unwrap_or("").starts_with('/') {
                break;
            }
            start += end + 1;
        }
    }
    edits.finish()
}

fn is_token(part: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (part.len() >= TOKEN && part.bytes().all(is_plain))
        || (part.len() >= HEXADECIMAL && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Masks credentials in URLs' queries: such a URL is enough to get the file.
pub(super) fn mask_signatures(text: &str) -> Cow<'_, str> {
    let mut edits = Edits::of(text);
    let mut done = 0;
    for authority in authorities(text) {
        let rest = text.get(authority..).unwrap_or("");
        let end = authority + rest.find(['"', ' ', '#']).unwrap_or(rest.len());
        let url = text.get(authority..end).unwrap_or("").trim_end_matches('\\');
        // A URL within the query of another one was looked at with that.
        let Some(query) = url.find('?').filter(|_| authority >= done) else { continue };
        done = end;
        let mut start = authority + query + 1;
        for parameter in url.get(query + 1..).unwrap_or("").split_inclusive('&') {
            for parameter in parameter.split_inclusive("\\u0026") {
                let bare = parameter.trim_end_matches('&');
                let bare = bare.strip_suffix("\\u0026").unwrap_or(bare);
                // The second is that of a URL within this one.
                let value = signed(bare).or_else(|| signed(bare.rsplit_once('?')?.1));
                if let Some(value) = value {
                    let stop = start + bare.len();
                    edits.replace(stop - value.len()..stop, MASK);
                }
                start += parameter.len();
            }
        }
    }
    edits.finish()
}

/// The value of a parameter that is a credential.
fn signed(parameter: &str) -> Option<&str> {
    let (name, value) = parameter.split_once('=').or_else(|| parameter.split_once("\\u003d"))?;
    is_signed(name).then_some(value)
}

fn is_signed(name: &str) -> bool {
    SIGNED.iter().any(|word| {
        let start = name.len().checked_sub(word.len());
        let Some((before, end)) = start.and_then(|start| name.split_at_checked(start)) else { return false };
        // A short word must stand for itself: not `design`.
        let is_whole = word.len() > 4 || !before.ends_with(|last: char| last.is_ascii_alphabetic());
        is_whole && end.eq_ignore_ascii_case(word)
    })
}
