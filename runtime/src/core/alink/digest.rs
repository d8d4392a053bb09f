//! How the digest of a file is named.

use core::fmt;

/// With what a file was digested: `signMethod` of an update and of a remote configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileDigest {
    /// 32 hexadecimal digits.
    Md5,
    /// 64 hexadecimal digits.
    Sha256,
}

impl FileDigest {
    /// As a platform has to write it in an update, upper and lower case included: there are SDKs that compare.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "Md5",
            Self::Sha256 => "SHA256",
        }
    }

    /// Reads it in any spelling: remote configurations say `Sha256`.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Md5, Self::Sha256].into_iter().find(|method| method.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for FileDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_named_as_on_the_wire() {
        for (name, digest) in [("Md5", FileDigest::Md5), ("SHA256", FileDigest::Sha256), ("Sha256", FileDigest::Sha256)]
        {
            assert_eq!(FileDigest::from_name(name), Some(digest));
        }
        assert_eq!([FileDigest::Md5.name(), FileDigest::Sha256.name()], ["Md5", "SHA256"]);
        assert_eq!(FileDigest::from_name("SHA1"), None);
    }
}
