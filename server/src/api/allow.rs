//! Which methods a path takes, read from the document: for `Allow`, which 405 must name (RFC 9110, 15.5.6).

use poem::http::HeaderValue;
use serde_json::Value;

/// The paths of the API with what they take.
#[derive(Debug, Default)]
pub(crate) struct Allowed(Vec<Path>);

#[derive(Debug)]
struct Path {
    segments: Vec<Segment>,
    methods: HeaderValue,
}

#[derive(Debug, PartialEq)]
enum Segment {
    Word(String),
    Parameter,
}

impl Allowed {
    /// Reads the document that poem-openapi wrote, and adds `documents`, which are beside it and only read.
    pub(crate) fn of(written: &str, documents: &[&str]) -> Self {
        let document: Value = serde_json::from_str(written).expect("poem-openapi writes JSON");
        let declared = document["paths"].as_object().into_iter().flatten();
        let declared = declared.filter_map(|(path, item)| {
            let methods: Vec<_> = item.as_object()?.keys().map(|method| method.to_uppercase()).collect();
            Some(Path::new(path, &methods))
        });
        let documents = documents.iter().map(|path| Path::new(path, &["GET".to_owned()]));
        Self(declared.chain(documents).collect())
    }

    /// What goes into `Allow`; `None` for a path that is not of this API. A word wins over a parameter.
    pub(crate) fn find(&self, path: &str) -> Option<&HeaderValue> {
        let segments: Vec<&str> = segments(path).collect();
        let fitting = self.0.iter().filter(|known| known.fits(&segments));
        fitting.min_by_key(|known| known.parameters()).map(|known| &known.methods)
    }
}

impl Path {
    fn new(path: &str, methods: &[String]) -> Self {
        let mut allowed: Vec<&str> = methods.iter().map(String::as_str).collect();
        // Whatever answers GET answers HEAD.
        allowed.extend(allowed.contains(&"GET").then_some("HEAD"));
        allowed.push("OPTIONS");
        allowed.sort_unstable();
        let methods = HeaderValue::try_from(allowed.join(", ")).expect("methods are ASCII");
        let segment = |text: &str| {
            if text.starts_with('{') { Segment::Parameter } else { Segment::Word(text.to_owned()) }
        };
        Self { segments: segments(path).map(segment).collect(), methods }
    }

    fn fits(&self, asked: &[&str]) -> bool {
        self.segments.len() == asked.len()
            && self.segments.iter().zip(asked).all(|(known, asked)| match known {
                Segment::Word(word) => word == asked,
                Segment::Parameter => true,
            })
    }

    fn parameters(&self) -> usize {
        self.segments.iter().filter(|segment| **segment == Segment::Parameter).count()
    }
}

/// The parts of a path, whether or not it ends with a slash.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.trim_matches('/').split('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_win_over_parameters() {
        let document =
            r#"{"paths": {"/a/{id}/": {"get": {}, "patch": {}}, "/a/b/": {"post": {}}, "/a/": {"get": {}}}}"#;
        let allowed = Allowed::of(document, &["/docs/"]);
        for (path, expected) in [
            ("/a", Some("GET, HEAD, OPTIONS")),
            ("/a/x/", Some("GET, HEAD, OPTIONS, PATCH")),
            ("/a/b/", Some("OPTIONS, POST")),
            ("/docs/", Some("GET, HEAD, OPTIONS")),
            ("/a/b/c/", None),
            ("/", None),
        ] {
            let found = allowed.find(path).map(|methods| methods.to_str().unwrap());
            assert_eq!(found, expected, "{path}");
        }
    }
}
