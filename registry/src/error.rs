//! The errors of parsing what comes from outside.

use thiserror::Error;

/// Why a name, tag, digest or reference is not well-formed. The text names the rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// The repository name breaks the grammar or the length limit.
    #[error("\"{}\" is not a repository name: {reason}", shorten(.name))]
    Repository {
        /// The text as it was given.
        name: String,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// The tag breaks the grammar or the length limit.
    #[error("\"{}\" is not a tag: it must match [A-Za-z0-9_][A-Za-z0-9._-]{{0,127}}", shorten(.0))]
    Tag(String),
    /// The digest is unknown or malformed.
    #[error("\"{}\" is not a digest: {reason}", shorten(.digest))]
    Digest {
        /// The text as it was given.
        digest: String,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// The image reference cannot be read.
    #[error("\"{}\" is not an image reference: {reason}", shorten(.reference))]
    Reference {
        /// The text as it was given.
        reference: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The media type is not `type/subtype`.
    #[error("\"{}\" is not a media type: it must read type/subtype (RFC 6838)", shorten(.0))]
    MediaType(String),
    /// A tag filter holds a pattern that can match nothing.
    #[error("\"{}\" can match no tag: use letters, digits, '.', '_', '-', the wildcards '*' and '?', or a digest", shorten(.0))]
    TagPattern(String),
}

/// Why bytes are not a manifest that can be kept.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// More than [`crate::MAX_MANIFEST_BYTES`].
    #[error("the manifest has {size_bytes} bytes, more than the limit of {limit_bytes}")]
    TooLarge {
        /// Its size.
        size_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// Not JSON, or JSON of another shape.
    #[error("the manifest is not valid JSON of its kind: {0}")]
    Json(#[from] serde_json::Error),
    /// The media type names no manifest kind that is known, and the content doesn't tell it either.
    #[error("the media type \"{0}\" is not one of a manifest")]
    UnknownKind(String),
    /// The `mediaType` in the document is not the one it was sent with.
    #[error("the manifest says that it is \"{inside}\", but was sent as \"{outside}\"")]
    MediaTypeMismatch {
        /// The field `mediaType` of the document.
        inside: String,
        /// The Content-Type it came with.
        outside: String,
    },
    /// A digest or media type inside is malformed.
    #[error("the manifest holds a bad value: {0}")]
    Value(#[from] NameError),
    /// A descriptor's size is negative.
    #[error("the manifest holds a descriptor with the size {0}")]
    NegativeSize(i64),
    /// The document is ambiguous: it has both `layers` and `manifests`.
    #[error("the manifest has both \"layers\" and \"manifests\"; it can be only one of image and index")]
    Ambiguous,
    /// More descriptors than any honest manifest has.
    #[error("the manifest names more than {0} parts")]
    TooManyParts(usize),
}

/// Keeps error texts readable when the offending input is huge.
fn shorten(text: &str) -> String {
    const KEEP: usize = 80;
    match text.char_indices().nth(KEEP) {
        Some((at, _)) => format!("{}… ({} bytes)", text[..at].escape_debug(), text.len()),
        None => text.escape_debug().to_string(),
    }
}

/// An error with all its causes, for logs: none is told twice.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
