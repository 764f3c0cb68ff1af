//! The `Range` header for one blob (RFC 9110, section 14.2).

use std::ops::Range;

/// Which part of a blob is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it: no range, or one that may be ignored (another unit, malformed, several ranges).
    Whole,
    /// These bytes, which lie within.
    Bytes(Range<u64>),
    /// Nothing that exists.
    Unsatisfiable,
}

/// Reads `bytes=first-last`, `bytes=first-` and `bytes=-length`.
pub(super) fn parse(header: &str, size_bytes: u64) -> Part {
    let Some((unit, set)) = header.split_once('=') else { return Part::Whole };
    let Some((first, last)) = set.trim().split_once('-') else { return Part::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Part::Whole;
    }
    match (first, last) {
        ("", length) => match number(length) {
            Some(0) => Part::Unsatisfiable,
            Some(_) if size_bytes == 0 => Part::Unsatisfiable,
            Some(length) => Part::Bytes(size_bytes.saturating_sub(length)..size_bytes),
            None => Part::Whole,
        },
        (first, last) => {
            let last = if last.is_empty() { Some(u64::MAX) } else { number(last) };
            match (number(first), last) {
                (Some(first), Some(last)) if first > last => Part::Whole,
                (Some(first), Some(_)) if first >= size_bytes => Part::Unsatisfiable,
                (Some(first), Some(last)) => Part::Bytes(first..last.saturating_add(1).min(size_bytes)),
                _ => Part::Whole,
            }
        }
    }
}

/// A number too large for `u64` is the largest one: it lies behind every end all the same.
fn number(digits: &str) -> Option<u64> {
    let only_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_ranges_are_read() {
        for (header, size, expected) in [
            ("bytes=0-0", 10, Part::Bytes(0..1)),
            ("bytes=0-9", 10, Part::Bytes(0..10)),
            ("bytes=2-5", 10, Part::Bytes(2..6)),
            ("bytes=2-", 10, Part::Bytes(2..10)),
            ("bytes=9-99", 10, Part::Bytes(9..10)),
            ("bytes=-3", 10, Part::Bytes(7..10)),
            ("bytes=-99", 10, Part::Bytes(0..10)),
            ("Bytes = 1-2", 10, Part::Bytes(1..3)),
            ("bytes=0-99999999999999999999999", 10, Part::Bytes(0..10)),
            ("bytes=0-18446744073709551615", 10, Part::Bytes(0..10)),
        ] {
            assert_eq!(parse(header, size), expected, "{header}");
        }
    }

    #[test]
    fn ranges_outside_are_unsatisfiable() {
        for (header, size) in [
            ("bytes=10-", 10),
            ("bytes=10-20", 10),
            ("bytes=-0", 10),
            ("bytes=0-", 0),
            ("bytes=0-0", 0),
            ("bytes=-1", 0),
            ("bytes=99999999999999999999999-", 10),
        ] {
            assert_eq!(parse(header, size), Part::Unsatisfiable, "{header}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_ignored() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-2",
            "bytes=0-1,3-4",
            "items=0-1",
            "bytes=+1-2",
            "bytes=1--2",
            "bytes=0x1-2",
            "bytes= 1 - 2",
            "=0-1",
        ] {
            assert_eq!(parse(header, 10), Part::Whole, "{header}");
        }
    }
}
