//! Pulp's grammar for selecting by labels: `a=b,!c,d~x,e!=f,g`; a comma in a value is written `\,`.

use storage::LabelTerm;

/// Reads the terms; the error says which one is wrong.
pub(crate) fn parse(text: &str) -> Result<Vec<LabelTerm>, String> {
    split(text).iter().map(|term| parse_term(term.trim())).collect()
}

fn split(text: &str) -> Vec<String> {
    let mut terms = vec![String::new()];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let last = terms.len() - 1;
        match letter {
            '\\' => terms[last].extend(letters.next()),
            ',' => terms.push(String::new()),
            letter => terms[last].push(letter),
        }
    }
    terms
}

fn parse_term(term: &str) -> Result<LabelTerm, String> {
    let bad = || format!("The search term '{term}' contains an incomplete or unknown expression.");
    let key = |text: &str| {
        let is_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.');
        if !text.is_empty() && text.chars().all(is_word) { Ok(text.to_owned()) } else { Err(bad()) }
    };
    if let Some(absent) = term.strip_prefix('!') {
        return Ok(LabelTerm::HasNot(key(absent)?));
    }
    let Some(at) = term.find(['=', '~', '!']) else { return Ok(LabelTerm::Has(key(term)?)) };
    let (name, rest) = term.split_at(at);
    let name = key(name)?;
    match rest
        .strip_prefix("!=")
        .map(|value| (true, value))
        .or_else(|| rest.strip_prefix('=').map(|value| (false, value)))
    {
        Some((true, value)) => Ok(LabelTerm::NotEquals(name, value.to_owned())),
        Some((false, value)) => Ok(LabelTerm::Equals(name, value.to_owned())),
        None => {
            rest.strip_prefix('~').map(|value| LabelTerm::Contains(name, value.to_owned())).ok_or_else(bad)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_read() {
        let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        let (a, e) = (pair("a", "b"), pair("e", "f,g"));
        assert_eq!(
            parse("a=b,!c,d~x,e!=f\\,g,h").unwrap(),
            [
                LabelTerm::Equals(a.0, a.1),
                LabelTerm::HasNot("c".into()),
                LabelTerm::Contains("d".into(), "x".into()),
                LabelTerm::NotEquals(e.0, e.1),
                LabelTerm::Has("h".into()),
            ]
        );
        for bad in ["", "=", "!", "a b", "a!b", ",", "!a=b"] {
            assert!(parse(bad).is_err(), "{bad} was accepted");
        }
    }
}
