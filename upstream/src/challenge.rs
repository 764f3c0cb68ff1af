//! Reading `WWW-Authenticate` (RFC 9110, 11.6.1; distribution "Token Authentication Specification").

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// How a registry wants to be convinced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// With a token from `realm`.
    Bearer {
        /// Where tokens are made.
        realm: String,
        /// Whom the token is for.
        service: Option<String>,
        /// What the token has to allow.
        scope: Option<String>,
    },
    /// With the user name and password themselves.
    Basic,
}

impl Challenge {
    /// The challenge to answer: Bearer where it is offered, else Basic, else none that is understood.
    pub(crate) fn choose(headers: &HeaderMap) -> Option<Self> {
        let offered = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let offered: Vec<Self> = offered.flat_map(parse).collect();
        let bearer = offered.iter().find(|challenge| matches!(challenge, Self::Bearer { .. }));
        bearer.or(offered.first()).cloned()
    }
}

/// All challenges of one header that are understood. What follows a syntax error is ignored.
fn parse(header: &str) -> Vec<Challenge> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = header.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let Some((word, after)) = take_token(rest) else { break };
        let after = after.trim_start_matches([' ', '\t']);
        if let Some(value) = after.strip_prefix('=').map(|text| text.trim_start_matches([' ', '\t']))
            && let Some((_, parameters)) = found.last_mut()
        {
            let Some((value, after)) = take_value(value) else { break };
            parameters.push((word.to_ascii_lowercase(), value));
            rest = after;
        } else {
            found.push((word.to_ascii_lowercase(), Vec::new()));
            rest = after;
        }
        rest = rest.trim_start_matches([' ', '\t', ',']);
    }
    found.into_iter().filter_map(|(scheme, parameters)| understand(&scheme, parameters)).collect()
}

fn understand(scheme: &str, parameters: Vec<(String, String)>) -> Option<Challenge> {
    let (mut realm, mut service, mut scope) = (None, None, None);
    for (name, value) in parameters {
        match name.as_str() {
            "realm" => realm = Some(value),
            "service" => service = Some(value),
            "scope" => scope = Some(value).filter(|scope: &String| !scope.trim().is_empty()),
            _ => {}
        }
    }
    match scheme {
        "bearer" => Some(Challenge::Bearer { realm: realm?, service, scope }),
        "basic" => Some(Challenge::Basic),
        _ => None,
    }
}

fn take_token(text: &str) -> Option<(&str, &str)> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let end = text.bytes().position(|byte| !is_token(byte)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// A token or a quoted string.
fn take_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        // Unquoted URLs are not allowed, but some registries send them.
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Challenge::Bearer { realm: realm.into(), service: own(service), scope: own(scope) }
    }

    #[test]
    fn challenges_of_real_registries_are_read() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull""#;
        assert_eq!(
            parse(hub),
            [bearer(
                "https://auth.docker.io/token",
                Some("registry.docker.io"),
                Some("repository:library/alpine:pull")
            )]
        );
        assert_eq!(
            parse(r#"bearer realm=https://a/t, error="insufficient_scope""#),
            [bearer("https://a/t", None, None)]
        );
        assert_eq!(
            parse(r#"Basic realm="Sonatype, \"Nexus\"", Bearer realm="http://h/t" , scope="a,b c""#),
            [Challenge::Basic, bearer("http://h/t", None, Some("a,b c"))]
        );
        assert_eq!(parse(r#"BASIC realm="x""#), [Challenge::Basic]);
    }

    #[test]
    fn nonsense_is_no_challenge() {
        for text in [
            "",
            ",,,",
            "Bearer",
            "Bearer service=x",
            "Negotiate abc==",
            "=",
            "Bearer realm=\"unclosed",
            "\"",
            "é",
        ] {
            assert_eq!(parse(text), [], "{text}");
        }
    }

    #[test]
    fn bearer_is_preferred() {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, "Basic realm=x".parse().unwrap());
        headers.append(WWW_AUTHENTICATE, "Bearer realm=\"http://h/t\"".parse().unwrap());
        assert_eq!(Challenge::choose(&headers), Some(bearer("http://h/t", None, None)));
        headers.remove(WWW_AUTHENTICATE);
        assert_eq!(Challenge::choose(&headers), None);
    }
}
