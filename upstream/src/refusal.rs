//! Turns an answer with an unwelcome status into an error (OCI distribution-spec 1.1, "Error Codes").

use registry::Clock;
use reqwest::header::RETRY_AFTER;
use serde::Deserialize;

use crate::UpstreamError;
use crate::exchange::Answer;
use crate::retry::parse_retry_after;

/// The registry's words are shown up to this length.
const SHOWN_CHARACTERS: usize = 300;

/// What registries and token servers put into the body of an error.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    errors: Vec<OciError>,
    message: Option<String>,
    details: Option<String>,
    error_description: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OciError {
    code: String,
    message: String,
}

impl Answer {
    /// The error that this answer's status means.
    pub(crate) async fn into_refusal(self, clock: &Clock, patience: std::time::Duration) -> UpstreamError {
        let (code, url) = (self.status().as_u16(), self.url.clone());
        let retry_after =
            self.header(&RETRY_AFTER).ok().flatten().and_then(|text| parse_retry_after(text, clock.now()));
        let message = message_of(&self.read_some(patience).await);
        match code {
            401 => UpstreamError::Unauthorized { url, reason: message },
            403 => UpstreamError::Forbidden { url, message },
            404 => UpstreamError::NotFound { url },
            429 => UpstreamError::RateLimited { url, retry_after, message },
            503 => UpstreamError::Status { url, code, retry_after, message },
            _ => UpstreamError::Status { url, code, retry_after: None, message },
        }
    }
}

/// One line of what the body says; empty if it is no JSON of a known shape.
fn message_of(body: &[u8]) -> String {
    let Document { errors, message, details, error_description } =
        serde_json::from_slice(body).unwrap_or_default();
    let text = match errors.into_iter().next() {
        Some(OciError { code, message }) if message.is_empty() => code,
        Some(OciError { code, message }) => format!("{code}: {message}"),
        None => message.or(details).or(error_description).unwrap_or_default(),
    };
    text.chars().take(SHOWN_CHARACTERS).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registrys_words_are_kept_to_one_line() {
        for (body, expected) in [
            (r#"{"errors":[{"code":"DENIED","message":"no\nway","detail":{}}]}"#, "DENIED: no way"),
            (r#"{"errors":[{"code":"UNKNOWN"}]}"#, "UNKNOWN"),
            (r#"{"details":"incorrect username or password"}"#, "incorrect username or password"),
            (r#"{"errors":[]}"#, ""),
            ("<html>", ""),
            ("", ""),
        ] {
            assert_eq!(message_of(body.as_bytes()), expected, "{body}");
        }
        let long = format!(r#"{{"message":"{}"}}"#, "x".repeat(5000));
        assert_eq!(message_of(long.as_bytes()).len(), SHOWN_CHARACTERS);
    }
}
