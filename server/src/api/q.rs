//! The filter `q`: other filters joined with NOT, AND, OR and parentheses, as in
//! `name="a" OR (NOT state__in=["failed"] AND pulp_label_select="x=y")`.

use openapi::filters::ListSpec;
use registry::Timestamp;
use storage::Filter;

use super::filter::read;

/// Pulp's bound on how complicated an expression may be.
const MAX_COMPLEXITY: usize = 8;
/// Parentheses count too: each one is a call on the stack.
const MAX_TOKENS: usize = 64;

/// Reads an expression; the error says what is wrong with it.
pub(super) fn parse(spec: &ListSpec, text: &str, now: Timestamp) -> Result<Filter, String> {
    let tokens = tokens(text)?;
    let complexity = tokens.iter().filter(|token| !matches!(token, Token::Open | Token::Close)).count();
    if complexity > 2 * MAX_COMPLEXITY - 1 || tokens.len() > MAX_TOKENS {
        return Err(format!("Filter expression exceeds allowed complexity of {MAX_COMPLEXITY}."));
    }
    let mut parser = Parser { spec, tokens: &tokens, now };
    let filter = parser.any()?;
    if parser.tokens.is_empty() { Ok(filter) } else { Err(syntax(text)) }
}

#[derive(Debug, PartialEq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    /// `name=value`; a list's values are joined with commas.
    Term(String, String),
}

fn syntax(text: &str) -> String {
    format!("Syntax error in expression: {}", text.chars().take(200).collect::<String>())
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '(' => (Token::Open, &rest[1..]),
            ')' => (Token::Close, &rest[1..]),
            _ => {
                let end = rest
                    .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
                    .unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                match word {
                    "AND" => (Token::And, after),
                    "OR" => (Token::Or, after),
                    "NOT" => (Token::Not, after),
                    name => {
                        let value = after.trim_start().strip_prefix('=').ok_or_else(|| syntax(text))?;
                        let (value, after) = value_of(value.trim_start()).ok_or_else(|| syntax(text))?;
                        (Token::Term(name.to_owned(), value), after)
                    }
                }
            }
        };
        found.push(token);
        rest = after.trim_start();
    }
    Ok(found)
}

/// A value at the start of `text`: quoted, a list in brackets, or a bare word; and what follows it.
fn value_of(text: &str) -> Option<(String, &str)> {
    if let Some(quote @ ('"' | '\'')) = text.chars().next() {
        let inner = &text[1..];
        let mut value = String::new();
        let mut letters = inner.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\\' => value.push(letters.next()?.1),
                letter if letter == quote => return Some((value, &inner[at + 1..])),
                letter => value.push(letter),
            }
        }
        return None;
    }
    if let Some(mut rest) = text.strip_prefix('[') {
        let mut values = Vec::new();
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix(']') {
                return Some((values.join(","), after));
            }
            let (value, after) = value_of(rest)?;
            values.push(value);
            rest = after.trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
    }
    let end =
        text.find(|letter: char| letter.is_whitespace() || "(),]".contains(letter)).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].to_owned(), &text[end..]))
}

struct Parser<'a> {
    spec: &'a ListSpec,
    tokens: &'a [Token],
    now: Timestamp,
}

impl Parser<'_> {
    fn take(&mut self, wanted: &Token) -> bool {
        let found = self.tokens.first() == Some(wanted);
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    fn any(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.all()?];
        while self.take(&Token::Or) {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Any(parts) })
    }

    fn all(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.one()?];
        while self.take(&Token::And) {
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::All(parts) })
    }

    fn one(&mut self) -> Result<Filter, String> {
        let (token, rest) =
            self.tokens.split_first().ok_or("Syntax error in expression: it ends too early.")?;
        self.tokens = rest;
        match token {
            Token::Not => Ok(Filter::Not(Box::new(self.one()?))),
            Token::Open => {
                let inner = self.any()?;
                if self.take(&Token::Close) {
                    Ok(inner)
                } else {
                    Err("Syntax error in expression: a parenthesis is missing.".to_owned())
                }
            }
            Token::Term(name, value) => {
                let known = self.spec.filters.iter().find(|filter| filter.name == *name);
                read(known.ok_or_else(|| format!("Filter '{name}' does not exist."))?, value, self.now)
            }
            other => Err(format!("Syntax error in expression: {other:?} is out of place.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openapi::filters;
    use storage::{FilterValue, Op};

    fn parse(text: &str) -> Result<Filter, String> {
        super::parse(&filters::repositories("x"), text, Timestamp::from_micros(0))
    }

    fn name(op: Op, text: &str) -> Filter {
        Filter::Field { field: "name", op, value: FilterValue::Text(text.into()) }
    }

    #[test]
    fn not_binds_tighter_than_and_than_or() {
        let expected = Filter::Any(vec![
            name(Op::Eq, "a"),
            Filter::All(vec![Filter::Not(Box::new(name(Op::Contains, "b c"))), name(Op::Eq, "d")]),
        ]);
        assert_eq!(parse("name=a OR NOT name__contains=\"b c\" AND name='d'"), Ok(expected));
        let grouped =
            Filter::All(vec![Filter::Any(vec![name(Op::Eq, "a"), name(Op::Eq, "b")]), name(Op::Eq, "c")]);
        assert_eq!(parse("(name=a OR name=b) AND name=c"), Ok(grouped));
        let list = Filter::Field {
            field: "name",
            op: Op::In,
            value: FilterValue::Texts(vec!["a".into(), "b".into()]),
        };
        assert_eq!(parse("name__in=[\"a\", b]"), Ok(list));
    }

    #[test]
    fn mistakes_are_told() {
        assert_eq!(parse("foo=1"), Err("Filter 'foo' does not exist.".into()));
        for bad in [
            "",
            "name",
            "name=",
            "(name=a",
            "name=a)",
            "name=a name=b",
            "AND",
            "name=\"a",
            "name__in=[a",
            "NOT",
            "=a",
        ] {
            assert!(parse(bad).is_err(), "{bad} was accepted");
        }
        let many = ["name=a"; 9].join(" OR ");
        assert_eq!(parse(&many), Err("Filter expression exceeds allowed complexity of 8.".into()));
        let deep = "(".repeat(10_000);
        assert!(parse(&deep).is_err());
    }
}
