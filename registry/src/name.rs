//! Repository names and tags (OCI distribution-spec 1.1, "Pulling manifests").

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::NameError;

/// A repository name such as `library/alpine`: path components of lowercase letters and digits, joined
/// within by `.`, `_`, `__` or dashes, separated by `/`; at most 255 bytes, which leaves room for a host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName(Box<str>);

impl RepositoryName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 255;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RepositoryName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        let refuse = |reason| Err(NameError::Repository { name: name.to_owned(), reason });
        if name.is_empty() {
            return refuse("it is empty");
        }
        if name.len() > Self::MAX_BYTES {
            return refuse("it is longer than 255 bytes");
        }
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return refuse("it must be in lower case");
        }
        if !name.split('/').all(is_path_component) {
            return refuse("each part between slashes must match [a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*");
        }
        Ok(Self(name.into()))
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(part: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut rest = part.as_bytes();
    loop {
        let word = rest.iter().take_while(|byte| is_word(**byte)).count();
        if word == 0 {
            return false;
        }
        rest = &rest[word..];
        let joint = rest.iter().take_while(|byte| !is_word(**byte)).count();
        match &rest[..joint] {
            [] => return true,
            b"." | b"_" | b"__" => {}
            dashes if dashes.iter().all(|byte| *byte == b'-') => {}
            _ => return false,
        }
        rest = &rest[joint..];
    }
}

/// A tag such as `3.20`: a word character, then at most 127 of word characters, `.` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(Box<str>);

impl Tag {
    /// The longest tag, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = NameError;

    fn from_str(tag: &str) -> Result<Self, NameError> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let bytes = tag.as_bytes();
        let well_formed = bytes.len() <= Self::MAX_BYTES
            && bytes.first().copied().is_some_and(is_word)
            && bytes.iter().all(|byte| is_word(*byte) || matches!(byte, b'.' | b'-'));
        if well_formed { Ok(Self(tag.into())) } else { Err(NameError::Tag(tag.to_owned())) }
    }
}

macro_rules! text_conversions {
    ($type:ident) => {
        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0.into()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
text_conversions!(RepositoryName);
text_conversions!(Tag);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_names_follow_the_grammar() {
        for good in ["a", "library/alpine", "a.b/c_d/e__f/g---h", "0/1", "pulp/test-fixture-1"] {
            assert!(good.parse::<RepositoryName>().is_ok(), "{good} was refused");
        }
        for bad in [
            "", "/", "a/", "/a", "a//b", "A", "a/B", "..", "a/..", "../a", ".a", "a.", "a..b", "a___b",
            "a._b", "-a", "a b", "a\0b", "é", "a:b", "a@b", "a%2fb", "a-", "a-.b",
        ] {
            assert!(bad.parse::<RepositoryName>().is_err(), "{bad} was accepted");
        }
        assert!("a".repeat(255).parse::<RepositoryName>().is_ok());
        assert!("a".repeat(256).parse::<RepositoryName>().is_err());
    }

    #[test]
    fn tags_follow_the_grammar() {
        for good in ["latest", "3.20", "_x", "V1-rc.1", &"a".repeat(128)] {
            assert!(good.parse::<Tag>().is_ok(), "{good} was refused");
        }
        for bad in ["", ".a", "-a", "a/b", "a:b", "a b", "a\n", "é", &"a".repeat(129)] {
            assert!(bad.parse::<Tag>().is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn a_huge_name_makes_a_short_error() {
        let error = "A".repeat(4096).parse::<RepositoryName>().unwrap_err().to_string();
        assert!(error.len() < 200, "{error}");
        assert!(error.contains("(4096 bytes)"), "{error}");
    }
}
