//! The `Accept` header (RFC 9110, section 12.5.1), asked one question: may it be this type?

use poem::http::{HeaderMap, header};

/// Whether a client that sent these headers takes `media_type`. No header takes anything, and so does one
/// in which nothing can be read.
pub(super) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let ranges = (headers.get_all(header::ACCEPT).iter())
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(parse);
    let mut said_anything = false;
    // The most specific range decides: "*/*, a/b;q=0" takes all but a/b.
    let mut best: Option<(u8, bool)> = None;
    for (range, wanted) in ranges {
        said_anything = true;
        let Some(specificity) = specificity(range, media_type) else { continue };
        best = Some(match best {
            Some((known, _)) if known < specificity => (specificity, wanted),
            Some((known, was_wanted)) if known == specificity => (known, wanted || was_wanted),
            Some(better) => better,
            None => (specificity, wanted),
        });
    }
    best.map_or(!said_anything, |(_, wanted)| wanted)
}

/// The media range, and whether its weight is above zero.
fn parse(item: &str) -> Option<(&str, bool)> {
    let mut parts = item.split(';');
    let range = parts.next()?.trim();
    let (kind, subtype) = range.split_once('/')?;
    if kind.is_empty() || subtype.is_empty() || (kind == "*" && subtype != "*") {
        return None;
    }
    let weight = parts.filter_map(|parameter| parameter.split_once('=')).find_map(|(key, value)| {
        key.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse::<f32>().unwrap_or(1.0))
    });
    Some((range, weight.is_none_or(|weight| weight > 0.0)))
}

fn specificity(range: &str, media_type: &str) -> Option<u8> {
    if range.eq_ignore_ascii_case(media_type) {
        return Some(3);
    }
    match range.strip_suffix("/*")? {
        "*" => Some(1),
        kind => {
            let (own_kind, _) = media_type.split_once('/')?;
            own_kind.eq_ignore_ascii_case(kind).then_some(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use registry::MediaType;

    fn check(values: &[&str], media_type: &str) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::ACCEPT, value.parse().unwrap());
        }
        accepts(&headers, media_type)
    }

    #[test]
    fn ranges_weights_and_several_headers_count() {
        let docker = MediaType::DOCKER_MANIFEST;
        for (values, expected) in [
            (&[][..], true),
            (&["*/*"], true),
            (&["application/*"], true),
            (&["Application/VND.docker.distribution.manifest.v2+JSON"], true),
            (&["application/vnd.docker.distribution.manifest.v2+json; charset=utf-8; q=0.1"], true),
            (&["text/html, application/xhtml+xml;q=0.9, */*;q=0.8"], true),
            (&["text/*"], false),
            (&[MediaType::OCI_MANIFEST], false),
            (&[MediaType::OCI_MANIFEST, MediaType::DOCKER_MANIFEST], true),
            (&[MediaType::OCI_INDEX, "*/*;q=0.1"], true),
            (&["application/json"], false),
            (&["*/*;q=0"], false),
            (&["*/*;q=0.000"], false),
            (&["*/*, application/vnd.docker.distribution.manifest.v2+json;q=0"], false),
            (&["application/vnd.docker.distribution.manifest.v2+json;q=0", "*/*"], false),
            (&["application/*;q=0, */*"], false),
            (&["*/*;q=0, application/*"], true),
            (&["application/vnd.docker.distribution.manifest.v2+json; Q=0"], false),
            (&["*/*;q=x"], true),
            (&[""], true),
            (&[",,"], true),
            (&["garbage"], true),
            (&["garbage, text/html"], false),
            (&["*/json"], true),
        ] {
            assert_eq!(check(values, docker), expected, "{values:?}");
        }
    }
}
