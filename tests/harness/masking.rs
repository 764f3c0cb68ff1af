//! Makes documents comparable: ids and times are different each time.

use serde_json::Value;

/// The document with `<id>` for every UUID and `<time>` for every time.
pub fn masked(document: &Value) -> Value {
    match document {
        Value::String(text) => Value::String(mask(text)),
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), masked(value))).collect(),
        other => other.clone(),
    }
}

fn mask(text: &str) -> String {
    if is_time(text) {
        return "<time>".to_owned();
    }
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        if rest.get(..36).is_some_and(is_uuid) {
            out.push_str("<id>");
            rest = &rest[36..];
        } else {
            let letter = rest.chars().next().unwrap();
            out.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    out
}

fn is_uuid(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

/// `2026-11-24T07:19:16.170022Z`
fn is_time(text: &str) -> bool {
    let shape = "0000-00-00T00:00:00.000000Z";
    text.len() == shape.len()
        && text
            .bytes()
            .zip(shape.bytes())
            .all(|(byte, wanted)| if wanted == b'0' { byte.is_ascii_digit() } else { byte == wanted })
}
