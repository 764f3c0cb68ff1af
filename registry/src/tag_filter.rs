//! Which tags a remote takes: `includes` and `excludes` with the wildcards `*` and `?`.

use std::collections::BTreeSet;
use std::fmt;

use crate::{Digest, NameError, Reference, Tag};

/// What to copy from a repository. No includes means every tag; excludes always win.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagFilter {
    patterns: Option<Vec<Pattern>>,
    digests: BTreeSet<Digest>,
    excludes: Vec<Pattern>,
}

/// A tag, or a pattern with wildcards: `*` for any number of characters, `?` for exactly one.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Exact(Tag),
    Wildcard(Box<str>),
}

impl TagFilter {
    /// Takes every tag.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Reads a remote's filters. An include may also be a digest; an empty list means no filter.
    pub fn new(includes: &[String], excludes: &[String]) -> Result<Self, NameError> {
        let (digests, patterns): (Vec<_>, Vec<_>) = includes.iter().partition(|text| text.contains(':'));
        Ok(Self {
            patterns: if includes.is_empty() {
                None
            } else {
                Some(patterns.into_iter().map(|text| text.parse()).collect::<Result<_, _>>()?)
            },
            digests: digests.into_iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
            excludes: excludes.iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
        })
    }

    /// Whether the upstream's tag list has to be read to know what to take.
    pub fn needs_tag_list(&self) -> bool {
        self.patterns
            .as_ref()
            .is_none_or(|patterns| patterns.iter().any(|p| matches!(p, Pattern::Wildcard(_))))
    }

    /// The manifests to take without having seen a tag list: exact tags that no exclude matches, and digests.
    pub fn named(&self) -> Vec<Reference> {
        let exact = self.patterns.iter().flatten().filter_map(|pattern| match pattern {
            Pattern::Exact(tag) if !self.excludes(tag) => Some(Reference::Tag(tag.clone())),
            _ => None,
        });
        exact
            .chain(self.digests.iter().cloned().map(Reference::Digest))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    /// Whether `tag` passes the filter.
    pub fn takes(&self, tag: &Tag) -> bool {
        let included =
            (self.patterns.as_ref()).is_none_or(|patterns| patterns.iter().any(|p| p.matches(tag)));
        included && !self.excludes(tag)
    }

    /// Digests that are taken whether or not a tag names them.
    pub fn digests(&self) -> impl Iterator<Item = &Digest> {
        self.digests.iter()
    }

    fn excludes(&self, tag: &Tag) -> bool {
        self.excludes.iter().any(|pattern| pattern.matches(tag))
    }
}

/// The patterns, for error texts: not more than people read.
impl fmt::Display for TagFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 10;
        let list = |patterns: &[Pattern]| {
            let mut names: Vec<_> = patterns.iter().take(MOST).map(ToString::to_string).collect();
            let more = patterns.len().saturating_sub(MOST);
            if more > 0 {
                names.push(format!("and {more} more"));
            }
            names.join(", ")
        };
        match &self.patterns {
            None => f.write_str("all tags")?,
            Some(patterns) => f.write_str(&list(patterns))?,
        }
        if self.excludes.is_empty() { Ok(()) } else { write!(f, " without {}", list(&self.excludes)) }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(tag) => tag.fmt(f),
            Self::Wildcard(text) => f.write_str(text),
        }
    }
}

impl std::str::FromStr for Pattern {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if !text.contains(['*', '?']) {
            return text.parse().map(Self::Exact).map_err(|_| NameError::TagPattern(text.to_owned()));
        }
        let usable = text.len() <= Tag::MAX_BYTES
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-*?".contains(&byte));
        if usable { Ok(Self::Wildcard(text.into())) } else { Err(NameError::TagPattern(text.to_owned())) }
    }
}

impl Pattern {
    fn matches(&self, tag: &Tag) -> bool {
        match self {
            Self::Exact(exact) => exact == tag,
            Self::Wildcard(pattern) => wildcard_matches(pattern.as_bytes(), tag.as_str().as_bytes()),
        }
    }
}

/// Matches in linear space and at most `pattern × text` steps: after a mismatch only the last `*` is tried again.
fn wildcard_matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some(b'*') => {
                last_star = Some((at_pattern, at_text));
                at_pattern += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[at_text] => {
                at_pattern += 1;
                at_text += 1;
            }
            _ => match last_star {
                Some((star, taken)) => {
                    last_star = Some((star, taken + 1));
                    at_pattern = star + 1;
                    at_text = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at_pattern..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(includes: &[&str], excludes: &[&str]) -> TagFilter {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        TagFilter::new(&owned(includes), &owned(excludes)).unwrap()
    }

    fn taken(filter: &TagFilter) -> Vec<&'static str> {
        ["3.1", "3.10", "3.2", "edge", "latest"]
            .into_iter()
            .filter(|tag| filter.takes(&tag.parse().unwrap()))
            .collect()
    }

    #[test]
    fn includes_and_excludes_choose() {
        assert_eq!(taken(&filter(&[], &[])).len(), 5);
        assert_eq!(taken(&filter(&["3.*"], &[])), ["3.1", "3.10", "3.2"]);
        assert_eq!(taken(&filter(&["3.?"], &[])), ["3.1", "3.2"]);
        assert_eq!(taken(&filter(&["3.*", "latest"], &["3.1*"])), ["3.2", "latest"]);
        assert_eq!(taken(&filter(&[], &["*e*"])), ["3.1", "3.10", "3.2"]);
        assert_eq!(taken(&filter(&["*"], &["*"])), Vec::<&str>::new());
    }

    #[test]
    fn only_wildcards_need_the_list() {
        assert!(filter(&[], &[]).needs_tag_list());
        assert!(filter(&["a", "b*"], &[]).needs_tag_list());
        assert!(!filter(&["a", "b"], &["c*"]).needs_tag_list());
    }

    #[test]
    fn an_include_may_be_a_digest() {
        let digest = Digest::sha256_of(b"x").to_string();
        let only_digest = filter(&[&digest], &[]);
        assert!(!only_digest.needs_tag_list());
        assert_eq!(taken(&only_digest), Vec::<&str>::new());
        let mixed = filter(&["b", "a", &digest, "a"], &["b"]);
        assert_eq!(
            mixed.named(),
            [Reference::Tag("a".parse().unwrap()), Reference::Digest(digest.parse().unwrap())]
        );
    }

    #[test]
    fn patterns_that_can_match_nothing_are_refused() {
        for bad in ["", " ", "a/b", "a b*", "sha256:xyz", &"*".repeat(129)] {
            assert!(TagFilter::new(&[bad.to_owned()], &[]).is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn filters_are_told_in_words() {
        assert_eq!(filter(&[], &[]).to_string(), "all tags");
        assert_eq!(filter(&["3.*", "b"], &["*-rc?"]).to_string(), "3.*, b without *-rc?");
        let many: Vec<String> = (0..12).map(|number| number.to_string()).collect();
        let text = TagFilter::new(&many, &[]).unwrap().to_string();
        assert_eq!(text, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, and 2 more");
    }

    #[test]
    fn nasty_wildcards_stay_quick() {
        let pattern = "*a".repeat(60) + "b";
        assert!(!filter(&[&pattern], &[]).takes(&"a".repeat(128).parse().unwrap()));
    }
}
