//! What tests say of faults, tokens and images, and what they learn of requests.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use registry::Digest;
use tokio::sync::Notify;

/// What goes wrong with an answer. Several can be injected into the same request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This answer instead of the real one. `Content-Length` is set unless given.
    Answer {
        /// The status.
        status: u16,
        /// The headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: Bytes,
    },
    /// The connection closes before a byte of the answer.
    CutBeforeAnswer,
    /// The connection closes after so many bytes of the body, of which all were announced.
    CutAfter(usize),
    /// A header is set to another value: a wrong `Docker-Content-Digest`, a `Content-Range` that lies.
    Header(&'static str, String),
    /// A header is left out.
    WithoutHeader(&'static str),
    /// The first byte of the body is another one.
    WrongBytes,
    /// `Content-Length` is so much more than there is; then the connection closes.
    LengthLie(usize),
    /// No `Content-Length`: the body ends where the connection closes.
    NoLength,
    /// No `Content-Length`: the body is sent in one HTTP chunk.
    Chunked,
    /// The body comes in pieces of so many bytes, with a pause after each.
    Drip {
        /// Bytes at a time.
        piece: usize,
        /// The pause.
        every: Duration,
    },
    /// The body stops after so many bytes until the test calls `notify_one`.
    Hold {
        /// Bytes that come first.
        after: usize,
        /// What to wait for.
        until: Arc<Notify>,
    },
    /// `Range` is ignored: the whole is sent with status 200.
    IgnoreRange,
}

impl Fault {
    /// An answer with a status, no headers and no body.
    pub fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// As [`Fault::status`], with one header: `Fault::status_with(429, "Retry-After", "1")`.
    pub fn status_with(status: u16, header: &str, value: &str) -> Self {
        Self::Answer { status, headers: vec![(header.into(), value.into())], body: Bytes::new() }
    }

    /// A temporary redirect.
    pub fn redirect(location: &str) -> Self {
        Self::status_with(307, "Location", location)
    }

    /// Status 200 with this body.
    pub fn body(body: impl Into<Bytes>) -> Self {
        Self::Answer { status: 200, headers: Vec::new(), body: body.into() }
    }
}

/// How a [`FakeRegistry`] makes and checks bearer tokens.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// User name and password that the token endpoint asks for; `None` gives tokens to anybody.
    pub credentials: Option<(String, String)>,
    /// How often a token works before it is answered with 401; `None` is always.
    pub uses: Option<u32>,
    /// `expires_in` of the token answer.
    pub expires_in: Option<u64>,
    /// The field of the token answer: `token` or `access_token`.
    pub field: &'static str,
    /// The realm of the challenge; `None` is this registry's own `/token`.
    pub realm: Option<String>,
    /// Whether the challenge names the scope.
    pub names_scope: bool,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            credentials: None,
            uses: None,
            expires_in: None,
            field: "token",
            realm: None,
            names_scope: true,
        }
    }
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// `GET`, `HEAD`…
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The status that it was answered with; 0 if the connection was cut before.
    pub status: u16,
}

impl Recorded {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What [`FakeRegistry::add_image`] made.
#[derive(Debug, Clone)]
pub struct FakeImage {
    /// Digest of the manifest.
    pub manifest: Digest,
    /// The manifest's bytes.
    pub manifest_bytes: Bytes,
    /// Digest of the configuration.
    pub config: Digest,
    /// Digests of the layers.
    pub layers: Vec<Digest>,
}
