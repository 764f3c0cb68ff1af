//! Reading the body of an answer: how long it may take, how much it may be, how it may end.

use std::io::ErrorKind;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::Version;
use reqwest::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use tokio::time::{Instant, timeout_at};

use crate::error::has_io_error;
use crate::exchange::Answer;
use crate::limits::ERROR_BODY_BYTES;
use crate::{SafeUrl, UpstreamError, Waiting};

impl Answer {
    /// The length that the header announces, which for HEAD is not the one of the body.
    pub(crate) fn content_length(&self) -> Result<Option<u64>, UpstreamError> {
        let length = self.header(&CONTENT_LENGTH)?.map(str::parse).transpose();
        length.map_err(|_| self.bad("a Content-Length that is no number"))
    }

    /// Whether the body ends where the connection does, for whatever reason it does (RFC 9112, 6.3).
    pub(crate) fn is_ended_by_close(&self) -> bool {
        let headers = self.response.headers();
        self.response.version() < Version::HTTP_2
            && !headers.contains_key(CONTENT_LENGTH)
            && !headers.contains_key(TRANSFER_ENCODING)
    }

    /// The next piece of the body as the connection gave it, not copied.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        let silence_ends = Instant::now() + self.read;
        let total_ends = self.total.map(|total| self.started + total);
        let until = total_ends.map_or(silence_ends, |total_ends| total_ends.min(silence_ends));
        match timeout_at(until, self.response.chunk()).await {
            Ok(Ok(chunk)) => {
                self.received_bytes += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
                Ok(chunk)
            }
            Ok(Err(error)) => Err(self.broken(error)),
            Err(_) if Some(until) == total_ends => Err(UpstreamError::Timeout {
                url: self.url.clone(),
                waiting: Waiting::End,
                limit: self.total.unwrap_or_default(),
            }),
            Err(_) => Err(UpstreamError::Timeout {
                url: self.url.clone(),
                waiting: Waiting::More,
                limit: self.read,
            }),
        }
    }

    fn broken(&self, error: reqwest::Error) -> UpstreamError {
        let (url, source) = (self.url.clone(), error.without_url());
        match self.content_length() {
            Ok(Some(expected_bytes)) if has_io_error(&source, ErrorKind::UnexpectedEof) => {
                UpstreamError::Truncated { url, expected_bytes, received_bytes: self.received_bytes }
            }
            _ => UpstreamError::Broken { url, source },
        }
    }

    /// The whole body of a small answer.
    pub(crate) async fn read_all(mut self, limit: usize) -> Result<Bytes, UpstreamError> {
        let too_large = |url: &SafeUrl| UpstreamError::TooLarge { url: url.clone(), limit, unit: "bytes" };
        if self.response.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_large(&self.url));
        }
        let mut whole = BytesMut::new();
        loop {
            match self.chunk().await {
                Ok(Some(chunk)) if chunk.len() > limit - whole.len() => return Err(too_large(&self.url)),
                Ok(Some(chunk)) => whole.extend_from_slice(&chunk),
                Ok(None) => return Ok(whole.freeze()),
                Err(UpstreamError::Timeout { url, waiting: Waiting::End, .. }) => {
                    let waited = self.started.elapsed();
                    return Err(UpstreamError::TooSlow { url, received_bytes: self.received_bytes, waited });
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// As much of an error's body as is worth reading; what cannot be read is left out.
    pub(crate) async fn read_some(mut self, patience: Duration) -> BytesMut {
        let until = Instant::now() + patience;
        let mut whole = BytesMut::new();
        while let Ok(Ok(Some(chunk))) = timeout_at(until, self.chunk()).await {
            whole.extend_from_slice(&chunk[..chunk.len().min(ERROR_BODY_BYTES - whole.len())]);
            if whole.len() == ERROR_BODY_BYTES {
                break;
            }
        }
        whole
    }

    /// Reads the rest if it is small, so that the connection can be used again.
    pub(crate) async fn drain(self) {
        if self.response.content_length().is_some_and(|length| length <= ERROR_BODY_BYTES as u64) {
            self.read_some(Duration::from_secs(1)).await;
        }
    }
}
