//! Reading `Link` (RFC 8288, 3; OCI distribution-spec 1.1, "Listing Tags").

use reqwest::header::{HeaderMap, LINK};

/// The target of the first link with `rel="next"`, as it was sent.
pub(crate) fn find_next(headers: &HeaderMap) -> Option<String> {
    headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).find_map(next_of)
}

fn next_of(header: &str) -> Option<String> {
    let mut rest = header;
    // Targets stand between angle brackets, so commas and semicolons in them separate nothing.
    while let Some((_, after)) = rest.split_once('<') {
        let (target, after) = after.split_once('>')?;
        let end = end_of_parameters(after);
        if after[..end].split(';').any(is_next) {
            return Some(target.trim().to_owned());
        }
        rest = &after[end..];
    }
    None
}

/// Where the parameters of one link end: at the first comma outside quotes.
fn end_of_parameters(text: &str) -> usize {
    let mut quoted = false;
    text.bytes()
        .position(|byte| {
            quoted ^= byte == b'"';
            byte == b',' && !quoted
        })
        .unwrap_or(text.len())
}

fn is_next(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        name.trim().eq_ignore_ascii_case("rel")
            && value
                .trim()
                .trim_matches('"')
                .split_ascii_whitespace()
                .any(|rel| rel.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found() {
        for (header, expected) in [
            (r#"</v2/a/tags/list?last=b&n=2>; rel="next""#, Some("/v2/a/tags/list?last=b&n=2")),
            (r"<http://h/x?a=1,2;3>;rel=next", Some("http://h/x?a=1,2;3")),
            (r#"</p>; rel="prev", </n>; title="a, b"; rel="last next""#, Some("/n")),
            (r#"</p>; title="; rel=prev", </n>; REL=NEXT"#, Some("/n")),
            (r#"</p>; rel="previous""#, None),
            ("</unclosed; rel=next", None),
            ("rel=next", None),
            ("", None),
        ] {
            assert_eq!(next_of(header).as_deref(), expected, "{header}");
        }
    }
}
