//! The `Content-Range` header of a chunk (OCI distribution-spec 1.1, "Pushing a blob in chunks"): `<first>-<last>`.

use poem::http::{HeaderMap, header};

use crate::v2::V2Error;

/// Which bytes of the blob a request brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChunkRange {
    /// The first one's position.
    pub(super) start: u64,
    /// How many.
    pub(super) length: u64,
}

impl ChunkRange {
    /// `None` when the request is not one of chunks.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, V2Error> {
        let Some(value) = headers.get(header::CONTENT_RANGE) else { return Ok(None) };
        value.to_str().ok().and_then(Self::parse).map(Some).ok_or(V2Error::BadContentRange)
    }

    /// Also reads the form of RFC 9110, `bytes <first>-<last>/<size or *>`, which some clients send.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let range = match text.strip_prefix("bytes") {
            Some(rest) => rest.strip_prefix([' ', '='])?.split('/').next()?,
            None => text,
        };
        let (first, last) = range.split_once('-')?;
        let number = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten()
        };
        let (start, last) = (number(first)?, number(last)?);
        let length = last.checked_sub(start)?.checked_add(1)?;
        Some(Self { start, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_ranges_are_read() {
        for (text, expected) in [
            ("0-0", Some((0, 1))),
            ("0-1023", Some((0, 1024))),
            ("1024-2047", Some((1024, 1024))),
            (" 5-6 ", Some((5, 2))),
            ("bytes 0-9/10", Some((0, 10))),
            ("bytes 0-9/*", Some((0, 10))),
            ("bytes=0-9", Some((0, 10))),
            ("18446744073709551614-18446744073709551615", Some((u64::MAX - 1, 2))),
            ("0-18446744073709551615", None),
            ("18446744073709551616-18446744073709551617", None),
            ("5-4", None),
            ("-5", None),
            ("5-", None),
            ("+1-2", None),
            ("a-b", None),
            ("", None),
            ("bytes", None),
            ("0-1-2", None),
        ] {
            let read = ChunkRange::parse(text).map(|range| (range.start, range.length));
            assert_eq!(read, expected, "{text}");
        }
    }
}
