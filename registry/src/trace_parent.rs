//! The distributed trace that a request is a part of (W3C Trace Context, level 1, "traceparent Header").

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A `traceparent` that was checked: `00-<trace id>-<parent id>-<flags>`, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TraceParent(String);

/// Where the parts of version 00 stand.
const TRACE_ID: std::ops::Range<usize> = 3..35;
const PARENT_ID: std::ops::Range<usize> = 36..52;
const FLAGS: std::ops::Range<usize> = 53..55;
const LENGTH: usize = 55;

impl TraceParent {
    /// 32 hexadecimal digits, the same for everything that the trace holds.
    pub fn trace_id(&self) -> &str {
        &self.0[TRACE_ID]
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TraceParent {
    type Err = ();

    /// A later version may have more behind the flags, which is not kept; version `ff` is forbidden, and so are ids of
    /// zeros.
    fn from_str(text: &str) -> Result<Self, ()> {
        let bytes = text.as_bytes();
        let is_hex = |range: std::ops::Range<usize>| {
            bytes[range].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_zero = |range: std::ops::Range<usize>| bytes[range].iter().all(|byte| *byte == b'0');
        if bytes.len() < LENGTH || !text.is_ascii() {
            return Err(());
        }
        let has_right_end = match bytes.get(LENGTH) {
            None => true,
            Some(more) => &bytes[..2] != b"00" && *more == b'-',
        };
        let is_sound = [2, 35, 52].into_iter().all(|dash| bytes[dash] == b'-')
            && is_hex(0..2)
            && &bytes[..2] != b"ff"
            && [TRACE_ID, PARENT_ID].into_iter().all(|id| is_hex(id.clone()) && !is_zero(id))
            && is_hex(FLAGS);
        if has_right_end && is_sound { Ok(Self(text[..LENGTH].to_owned())) } else { Err(()) }
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_good_one_is_read() {
        let parent: TraceParent = GOOD.parse().unwrap();
        assert_eq!(parent.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(parent.to_string(), GOOD);
        let later = GOOD.replacen("00", "01", 1);
        assert_eq!(format!("{later}-more").parse::<TraceParent>().unwrap().as_str(), later);
    }

    #[test]
    fn bad_ones_are_refused() {
        for bad in [
            "",
            "00",
            &GOOD.to_uppercase(),
            &GOOD.replacen("00", "ff", 1),
            &format!("{GOOD}-more"),
            &GOOD[..54],
            &GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &GOOD.replace("-01", "-0g"),
            &GOOD.replace('-', "_"),
            &GOOD.replacen("4bf", "é", 1),
        ] {
            assert_eq!(bad.parse::<TraceParent>(), Err(()), "{bad}");
        }
    }
}
