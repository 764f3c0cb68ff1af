//! Reading blobs (OCI distribution-spec 1.1, "Pulling blobs"): streams, resumes, checks sizes. The caller
//! hashes.

use bytes::{Buf as _, Bytes};
use registry::Digest;
use reqwest::Method;
use reqwest::header::{CONTENT_RANGE, HeaderValue};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use url::Url;

use crate::content_range::ContentRange;
use crate::exchange::{Answer, Request};
use crate::floor::Floor;
use crate::retry::Retries;
use crate::{Client, SafeUrl, UpstreamError};

/// An answer that brought so much is not counted as one that broke: the bound on resuming is for
/// upstreams that go on breaking, not for large blobs on bad lines.
const WORTHWHILE_BYTES: u64 = 1024 * 1024;

/// A blob on its way. A connection that breaks is replaced by one that goes on where it stopped.
///
/// After an error, reading again starts from the same place.
pub struct BlobReader {
    client: Client,
    url: Url,
    /// The offset of the byte that is handed on next.
    position: u64,
    size_bytes: Option<u64>,
    /// Whether the size was given by the caller, and not learned from the registry.
    is_size_given: bool,
    open: Option<Open>,
    is_done: bool,
    retries: Retries,
    resumes: u32,
    floor: Floor,
    _permit: OwnedSemaphorePermit,
}

/// The answer that is being read.
struct Open {
    answer: Answer,
    /// Bytes at its start that were handed on before.
    skip: u64,
    /// The offset at which it ends, if it says so.
    end: Option<u64>,
    /// Whether its end cannot be told from a broken connection.
    is_end_unsure: bool,
    brought_bytes: u64,
}

impl Client {
    /// Starts to read a blob from `offset`, to its end at `size_bytes` if that is known.
    pub async fn open_blob(
        &self,
        digest: &Digest,
        offset: u64,
        size_bytes: Option<u64>,
    ) -> Result<BlobReader, UpstreamError> {
        let mut reader = BlobReader {
            _permit: self.permit().await,
            client: self.clone(),
            url: self.0.url_of(&format!("blobs/{digest}")),
            position: offset,
            size_bytes,
            is_size_given: size_bytes.is_some(),
            open: None,
            is_done: size_bytes == Some(offset),
            retries: Retries::new(&self.0.retry_policy),
            resumes: 0,
            floor: Floor::new(&self.0.limits),
        };
        if size_bytes.is_some_and(|size_bytes| offset > size_bytes) {
            return Err(reader.size_mismatch(offset));
        }
        while reader.open.is_none() && !reader.is_done {
            reader.open_once().await?;
        }
        Ok(reader)
    }
}

impl BlobReader {
    /// The blob's whole size, once it is known.
    pub fn size_bytes(&self) -> Option<u64> {
        self.size_bytes
    }

    /// The next piece, as the connection gave it; `None` once the whole blob was handed on.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        let read = self.read().await;
        if read.is_err() {
            self.open = None;
        }
        read
    }

    async fn read(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        while !self.is_done {
            let Some(open) = &mut self.open else {
                self.open_once().await?;
                continue;
            };
            let started = Instant::now();
            match open.answer.chunk().await {
                Ok(Some(bytes)) => {
                    self.floor.count(&open.answer.url, bytes.len() as u64, started.elapsed())?;
                    if let Some(bytes) = self.accept(bytes)? {
                        return Ok(Some(bytes));
                    }
                }
                Ok(None) => {
                    if let Err(error) = self.end_answer() {
                        self.recover(error).await?;
                    }
                }
                Err(error) => {
                    self.close();
                    self.recover(error).await?;
                }
            }
        }
        Ok(None)
    }

    /// Takes a piece in: leaves out what was handed on before, refuses what is too much.
    fn accept(&mut self, mut bytes: Bytes) -> Result<Option<Bytes>, UpstreamError> {
        let Some(open) = &mut self.open else { return Ok(None) };
        let known = usize::try_from(open.skip).unwrap_or(usize::MAX).min(bytes.len());
        bytes.advance(known);
        open.skip -= known as u64;
        if bytes.is_empty() {
            return Ok(None);
        }
        let (length, end) = (bytes.len() as u64, open.end.or(self.size_bytes));
        if end.is_some_and(|end| self.position + length > end) {
            let (error, position) = (open.answer.bad("more bytes than it announced"), self.position + length);
            let is_whole = end == self.size_bytes && self.is_size_given;
            return Err(if is_whole { self.size_mismatch(position) } else { error });
        }
        open.brought_bytes += length;
        self.position += length;
        self.retries.made_progress();
        Ok(Some(bytes))
    }

    /// Decides what the end of an answer means: the end of the blob, a reason to ask for more, or an error.
    fn end_answer(&mut self) -> Result<(), UpstreamError> {
        let Some(Open { answer, skip, end, is_end_unsure, .. }) = self.close() else { return Ok(()) };
        let reached = self.position - skip;
        match (self.size_bytes, end) {
            (Some(size), None) if is_end_unsure && reached < size => {
                Err(truncated(answer.url, size, reached))
            }
            (_, Some(end)) if reached < end => Err(truncated(answer.url, end, reached)),
            (Some(size), None) if reached < size => Err(self.size_mismatch(reached)),
            (None, None) if skip > 0 => Err(self.size_mismatch(reached)),
            (None, None) => {
                self.size_bytes = Some(reached);
                self.is_done = true;
                Ok(())
            }
            (None, Some(_)) => Err(answer.bad("a part of the blob that does not tell the size of the whole")),
            (Some(size), _) if reached < size && self.is_resumed_too_often() => {
                Err(answer.bad("the blob in too many small parts"))
            }
            (Some(size), _) => {
                self.is_done = reached == size;
                Ok(())
            }
        }
    }

    /// Lets go of the current answer, and counts it if it brought little.
    fn close(&mut self) -> Option<Open> {
        let closed = self.open.take();
        if closed.as_ref().is_some_and(|open| open.brought_bytes < WORTHWHILE_BYTES) {
            self.resumes += 1;
        }
        closed
    }

    fn is_resumed_too_often(&self) -> bool {
        self.resumes > self.client.0.limits.blob_resumes
    }

    async fn recover(&mut self, error: UpstreamError) -> Result<(), UpstreamError> {
        if self.is_resumed_too_often() { Err(error) } else { self.retries.wait_after(error).await }
    }

    /// Asks for what is missing, and waits before the next try if that fails.
    async fn open_once(&mut self) -> Result<(), UpstreamError> {
        match self.ask().await {
            Ok(open) => {
                self.open = open;
                Ok(())
            }
            Err(error) => self.recover(error).await,
        }
    }

    async fn ask(&mut self) -> Result<Option<Open>, UpstreamError> {
        let range = (self.position > 0).then(|| HeaderValue::try_from(format!("bytes={}-", self.position)));
        let request = Request {
            method: Method::GET,
            url: self.url.clone(),
            accept: None,
            range: range.and_then(Result::ok),
            authorization: None,
            total: self.client.0.config.total_timeout,
        };
        let answer = self.client.0.fetch(request).await?;
        match answer.status().as_u16() {
            200 => self.take_whole(answer).map(Some),
            206 => self.take_range(answer).map(Some),
            416 if self.position > 0 => self.take_nothing(answer).await.map(|()| None),
            _ => Err(self.client.0.refusal(answer).await),
        }
    }

    /// The whole blob, whether or not a part was asked for.
    fn take_whole(&mut self, answer: Answer) -> Result<Open, UpstreamError> {
        answer.check_encoding()?;
        let length = answer.content_length()?;
        if let Some(length) = length {
            self.learn_size(&answer, length)?;
        }
        Ok(Open {
            skip: self.position,
            end: length,
            is_end_unsure: length.is_none() && answer.is_ended_by_close(),
            answer,
            brought_bytes: 0,
        })
    }

    fn take_range(&mut self, answer: Answer) -> Result<Open, UpstreamError> {
        answer.check_encoding()?;
        let range = answer.header(&CONTENT_RANGE)?.and_then(ContentRange::parse);
        let Some(ContentRange::Part { first, end, total }) = range else {
            return Err(answer.bad("a part of the blob without a usable Content-Range"));
        };
        if self.position == 0 || first != self.position {
            return Err(answer.bad(format!(
                "the part of the blob from {first} where the one from {} was asked for",
                self.position
            )));
        }
        if answer.content_length()?.is_some_and(|length| length != end - first) {
            return Err(answer.bad("a part of the blob whose Content-Length contradicts its Content-Range"));
        }
        if let Some(total) = total {
            self.learn_size(&answer, total)?;
        }
        if let Some(size) = self.size_bytes.filter(|size| end > *size) {
            return Err(answer.bad(format!("a part of the blob up to {end}, beyond its size of {size}")));
        }
        Ok(Open { answer, skip: 0, end: Some(end), is_end_unsure: false, brought_bytes: 0 })
    }

    /// The registry has nothing from here on: right only if the blob ends here.
    async fn take_nothing(&mut self, answer: Answer) -> Result<(), UpstreamError> {
        match answer.header(&CONTENT_RANGE)?.and_then(ContentRange::parse) {
            Some(ContentRange::Unsatisfied { total }) => {
                self.learn_size(&answer, total)?;
                self.is_done = total == self.position;
                if self.is_done { Ok(()) } else { Err(answer.bad("it refuses a range that it has")) }
            }
            _ => Err(self.client.0.refusal(answer).await),
        }
    }

    fn learn_size(&mut self, answer: &Answer, size_bytes: u64) -> Result<(), UpstreamError> {
        match self.size_bytes {
            Some(known) if known == size_bytes => Ok(()),
            Some(_) if self.is_size_given => Err(self.size_mismatch(size_bytes)),
            Some(known) => Err(answer.bad(format!("the blob's size changed from {known} to {size_bytes}"))),
            None if size_bytes < self.position => Err(self.size_mismatch(size_bytes)),
            None => {
                self.size_bytes = Some(size_bytes);
                Ok(())
            }
        }
    }

    fn size_mismatch(&self, actual_bytes: u64) -> UpstreamError {
        let expected_bytes = self.size_bytes.unwrap_or(self.position);
        UpstreamError::SizeMismatch { url: self.client.0.shown(&self.url), expected_bytes, actual_bytes }
    }
}

fn truncated(url: SafeUrl, expected_bytes: u64, received_bytes: u64) -> UpstreamError {
    UpstreamError::Truncated { url, expected_bytes, received_bytes }
}
