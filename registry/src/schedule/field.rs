//! One field of an expression: numbers, names, ranges, steps and lists, as cron(5) describes them.

use super::ScheduleError;

/// What a field may hold.
pub(super) struct FieldKind {
    name: &'static str,
    least: u8,
    most: u8,
    names: &'static [&'static str],
}

pub(super) const SECOND: FieldKind = FieldKind { name: "second", least: 0, most: 59, names: &[] };
pub(super) const MINUTE: FieldKind = FieldKind { name: "minute", least: 0, most: 59, names: &[] };
pub(super) const HOUR: FieldKind = FieldKind { name: "hour", least: 0, most: 23, names: &[] };
pub(super) const DAY: FieldKind = FieldKind { name: "day of month", least: 1, most: 31, names: &[] };
pub(super) const MONTH: FieldKind = FieldKind {
    name: "month",
    least: 1,
    most: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
/// Sunday is 0 and 7.
pub(super) const WEEKDAY: FieldKind = FieldKind {
    name: "day of week",
    least: 0,
    most: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

/// The values that a field allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Values {
    /// One bit a value.
    bits: u64,
    /// It begins with `*`, or allows everything that it could: cron(5) calls it unrestricted.
    pub(super) is_starred: bool,
}

impl Values {
    /// This value alone.
    pub(super) const fn only(value: u8) -> Self {
        Self { bits: 1 << value, is_starred: false }
    }

    /// All of them, each with `shift` added, separated by commas.
    pub(super) fn list(self, shift: u32) -> String {
        let values = (0..u64::BITS).filter(|value| self.bits >> value & 1 == 1);
        values.map(|value| (value + shift).to_string()).collect::<Vec<_>>().join(",")
    }
}

impl FieldKind {
    pub(super) fn parse(&self, text: &str) -> Result<Values, ScheduleError> {
        let mut bits = 0_u64;
        for part in text.split(',') {
            let (from, to, step) = self.part(part)?;
            bits |= (from..=to).step_by(usize::from(step)).fold(0, |bits, value| bits | 1 << value);
        }
        let mut everything = (self.least..=self.most).fold(0_u64, |bits, value| bits | 1 << value);
        if self.most == WEEKDAY.most {
            let sunday = bits >> 7 & 1;
            bits = (bits | sunday) & !(1 << 7);
            everything &= !(1 << 7);
        }
        Ok(Values { bits, is_starred: text.starts_with('*') || bits == everything })
    }

    /// First, last and step of `*`, `a`, `a-b`, `*/n` or `a-b/n`.
    fn part(&self, part: &str) -> Result<(u8, u8, u8), ScheduleError> {
        let wrong = |problem: String| ScheduleError::Field {
            field: self.name,
            text: part.escape_debug().to_string(),
            problem,
        };
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => match step.parse::<u8>() {
                Ok(step @ 1..) if is_number(step_text(part)) && step <= self.most => (range, Some(step)),
                _ => return Err(wrong(format!("needs a step between 1 and {} behind the /", self.most))),
            },
        };
        let (from, to) = if range == "*" {
            // Sunday has two numbers; steps count from the first.
            (self.least, if self.most == WEEKDAY.most { 6 } else { self.most })
        } else if let Some((from, to)) = range.split_once('-') {
            let (from, mut to) = (self.value(from).map_err(wrong)?, self.value(to).map_err(wrong)?);
            if self.most == WEEKDAY.most && to == 0 && from > 0 {
                to = 7;
            }
            if from > to {
                let split = format!("{from}-{},{}-{to}", self.most, self.least);
                return Err(wrong(format!("runs backwards: write {split}")));
            }
            (from, to)
        } else {
            let value = self.value(range).map_err(wrong)?;
            if step.is_some() {
                let all = format!("{value}-{}/{}", self.most, step_text(part));
                return Err(wrong(format!("has a step without a range: write {all}")));
            }
            (value, value)
        };
        Ok((from, to, step.unwrap_or(1)))
    }

    fn value(&self, text: &str) -> Result<u8, String> {
        let names = if self.names.is_empty() { String::new() } else { format!(", or {}", self.examples()) };
        let expected =
            || format!("must be made of *, or of numbers from {} to {}{names}", self.least, self.most);
        if let Some(at) = self.names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
            return u8::try_from(at).map(|at| at + self.least).map_err(|_| expected());
        }
        let number = is_number(text).then(|| text.parse::<u8>().ok()).flatten();
        number.filter(|number| (self.least..=self.most).contains(number)).ok_or_else(expected)
    }

    fn examples(&self) -> String {
        format!("{} to {}", self.names[0], self.names[self.names.len() - 1])
    }
}

/// Digits only: Rust would take a sign, too.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn step_text(part: &str) -> &str {
    part.split_once('/').map_or("", |(_, step)| step)
}
