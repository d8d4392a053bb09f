//! Digests of images.

use core::fmt;

use md5::Digest as _;

/// What an image's bytes must come to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// `Md5`: against accidents only; who can choose the image can choose its MD5.
    Md5([u8; 16]),
    /// `SHA256`.
    Sha256([u8; 32]),
}

impl Digest {
    /// From `signMethod` (`Md5`, `SHA256`, `Sha256`, in any case) and `sign` (hexadecimal, in any case).
    pub fn parse(method: &str, hex: &str) -> Option<Self> {
        if method.eq_ignore_ascii_case("md5") {
            unhex(hex).map(Self::Md5)
        } else if method.eq_ignore_ascii_case("sha256") {
            unhex(hex).map(Self::Sha256)
        } else {
            None
        }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Md5(bytes) => bytes,
            Self::Sha256(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Md5(_) => "Md5 ",
            Self::Sha256(_) => "SHA256 ",
        })?;
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Takes an image in pieces.
pub(super) enum Hasher {
    Md5(md5::Md5),
    Sha256(sha2::Sha256),
}

impl Hasher {
    pub(super) fn new(digest: &Digest) -> Self {
        match digest {
            Digest::Md5(_) => Self::Md5(md5::Md5::new()),
            Digest::Sha256(_) => Self::Sha256(sha2::Sha256::new()),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
        }
    }

    pub(super) fn finish(self) -> Digest {
        match self {
            Self::Md5(hasher) => Digest::Md5(hasher.finalize().into()),
            Self::Sha256(hasher) => Digest::Sha256(hasher.finalize().into()),
        }
    }
}

fn unhex<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if hex.len() != 2 * N || !hex.is_ascii() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
        // `from_str_radix` would take a sign.
        let pair = core::str::from_utf8(pair).ok().filter(|pair| !pair.starts_with('+'))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_and_digests_are_read_without_case() {
        let md5 = "9E107D9D372bb6826bd81d3542a419d6";
        assert_eq!(Digest::parse("Md5", md5), Digest::parse("MD5", &md5.to_ascii_lowercase()));
        let sha256 = "D7A8FBB307D7809469CA9ABCB0082E4F8D5651E46D3CDB762D02D0BF37C9E592";
        assert!(Digest::parse("SHA256", sha256).is_some());
        assert_eq!(Digest::parse("Sha256", sha256), Digest::parse("sha256", &sha256.to_ascii_lowercase()));
        let longer = ["é", md5].concat();
        let signed = md5.replacen("9E", "+9", 1);
        for (method, hex) in
            [("Md5", sha256), ("SHA256", md5), ("SHA1", md5), ("Md5", ""), ("Md5", longer.as_str()), ("Md5", &signed)]
        {
            assert_eq!(Digest::parse(method, hex), None, "{method} {hex}");
        }
    }

    #[test]
    fn digests_are_those_of_the_standards() {
        let text = b"The quick brown fox jumps over the lazy dog";
        for (method, hex) in [
            ("Md5", "9e107d9d372bb6826bd81d3542a419d6"),
            ("SHA256", "d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592"),
        ] {
            let digest = Digest::parse(method, hex).unwrap();
            let mut hasher = Hasher::new(&digest);
            text.chunks(7).for_each(|piece| hasher.update(piece));
            assert_eq!(hasher.finish(), digest);
            assert_eq!(alloc::format!("{digest:?}"), alloc::format!("{method} {hex}"));
        }
    }
}
