//! Reading `Content-Range` (RFC 9110, 14.4).

/// What an answer says about the part that it holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ContentRange {
    /// `bytes first-last/total`; `end` is the offset after the last byte.
    Part {
        /// The offset of the first byte.
        first: u64,
        /// The offset after the last byte.
        end: u64,
        /// The size of the whole, unless it is `*`.
        total: Option<u64>,
    },
    /// `bytes */total`: there is nothing in the range asked for.
    Unsatisfied {
        /// The size of the whole.
        total: u64,
    },
}

impl ContentRange {
    /// `None` for whatever contradicts the grammar or itself.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (unit, rest) = text.trim().split_once(' ')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (part, total) = rest.trim().split_once('/')?;
        if part == "*" {
            return Some(Self::Unsatisfied { total: number(total)? });
        }
        let total = if total == "*" { None } else { Some(number(total)?) };
        let (first, last) = part.split_once('-')?;
        let (first, end) = (number(first)?, number(last)?.checked_add(1)?);
        let is_sound = first < end && total.is_none_or(|total| end <= total);
        is_sound.then_some(Self::Part { first, end, total })
    }
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        let part = |first, end, total| Some(ContentRange::Part { first, end, total });
        assert_eq!(ContentRange::parse("bytes 5-9/10"), part(5, 10, Some(10)));
        assert_eq!(ContentRange::parse("Bytes 0-0/*"), part(0, 1, None));
        assert_eq!(ContentRange::parse("bytes */7"), Some(ContentRange::Unsatisfied { total: 7 }));
        for bad in [
            "",
            "bytes",
            "bytes 5-9",
            "bytes 9-5/10",
            "bytes 5-10/10",
            "bytes +5-9/10",
            "items 0-1/2",
            "bytes 0-18446744073709551615/*",
            "bytes */*",
            "bytes -5/10",
            "bytes 5-/10",
        ] {
            assert_eq!(ContentRange::parse(bad), None, "{bad}");
        }
    }
}
