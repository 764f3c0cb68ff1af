//! One request: sent, redirected. Knows nothing of tokens and retries; the body is read by `body`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue, LOCATION,
    RANGE,
};
use reqwest::{Method, Response, StatusCode};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::client::Inner;
use crate::error::has_io_error;
use crate::limits::REDIRECTS;
use crate::{SafeUrl, UpstreamError, Waiting};

/// What to ask.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) accept: Option<HeaderValue>,
    pub(crate) range: Option<HeaderValue>,
    pub(crate) authorization: Option<HeaderValue>,
    /// Longest time for one HTTP request with its answer.
    pub(crate) total: Option<Duration>,
}

/// What came back: the status and headers, the body still to be read.
pub(crate) struct Answer {
    pub(crate) response: Response,
    pub(crate) url: SafeUrl,
    /// Whether it comes from the origin that was asked first.
    pub(crate) is_from_origin: bool,
    /// When the request was sent.
    pub(crate) started: Instant,
    /// Longest time from then to the last byte.
    pub(crate) total: Option<Duration>,
    /// Longest silence.
    pub(crate) read: Duration,
    /// How much of the body has come.
    pub(crate) received_bytes: u64,
}

impl Inner {
    pub(crate) fn shown(&self, url: &Url) -> SafeUrl {
        SafeUrl::of(url, &self.config.url)
    }

    /// Sends a request and follows its redirects. Credentials and custom headers go to the origin that they
    /// are meant for and, once a redirect has left it, to nobody.
    pub(crate) async fn exchange(&self, request: &Request) -> Result<Answer, UpstreamError> {
        let mut asked = vec![request.url.clone()];
        let mut is_from_origin = true;
        loop {
            let url = &asked[asked.len() - 1];
            let answer = self.send(request, url, is_from_origin).await?;
            if !is_redirect(answer.response.status()) {
                return Ok(answer);
            }
            let target = self.redirect_target(request, &answer, url)?;
            if asked.contains(&target) {
                return Err(UpstreamError::RedirectLoop {
                    url: self.shown(&request.url),
                    to: self.shown(&target),
                });
            }
            if asked.len() > REDIRECTS {
                return Err(UpstreamError::TooManyRedirects {
                    url: self.shown(&request.url),
                    limit: REDIRECTS,
                });
            }
            is_from_origin &= target.origin() == url.origin();
            answer.drain().await;
            asked.push(target);
        }
    }

    fn redirect_target(&self, request: &Request, answer: &Answer, from: &Url) -> Result<Url, UpstreamError> {
        let bad =
            |reason: &str| UpstreamError::BadAnswer { url: answer.url.clone(), reason: reason.to_owned() };
        let location = answer.header(&LOCATION)?.ok_or_else(|| bad("a redirect without Location"))?;
        let mut target = from.join(location).map_err(|_| bad("a redirect to a malformed URL"))?;
        if !matches!(target.scheme(), "http" | "https") {
            return Err(bad("a redirect to a URL that is neither http nor https"));
        }
        if from.scheme() == "https" && target.scheme() == "http" {
            return Err(UpstreamError::InsecureRedirect {
                url: self.shown(&request.url),
                to: self.shown(&target),
            });
        }
        // Userinfo would become an Authorization header that nobody here has chosen.
        let _ = target.set_username("");
        let _ = target.set_password(None);
        target.set_fragment(None);
        Ok(target)
    }

    async fn send(
        &self,
        request: &Request,
        url: &Url,
        is_from_origin: bool,
    ) -> Result<Answer, UpstreamError> {
        let mut headers = if is_from_origin && url.origin() == self.config.url.origin() {
            self.headers.clone()
        } else {
            HeaderMap::new()
        };
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let authorization = request.authorization.as_ref().filter(|_| is_from_origin);
        for (name, value) in [
            (ACCEPT, request.accept.as_ref()),
            (RANGE, request.range.as_ref()),
            (AUTHORIZATION, authorization),
        ] {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
        self.pace.wait().await;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let started = Instant::now();
        // The answer's first line may take a connection and then as long as any silence.
        let patience = self.connect_timeout + self.read_timeout;
        let limit = request.total.map_or(patience, |total| total.min(patience));
        let sent = self.connections.request(request.method.clone(), url.clone()).headers(headers).send();
        match timeout(limit, sent).await {
            Ok(Ok(response)) => {
                if let Some(proxy) = &self.proxy
                    && response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED
                {
                    return Err(proxy.refusal(self.shown(url)));
                }
                self.contacts.note(url);
                Ok(Answer {
                    response,
                    url: self.shown(url),
                    is_from_origin,
                    started,
                    total: request.total,
                    read: self.read_timeout,
                    received_bytes: 0,
                })
            }
            Ok(Err(error)) => Err(self.classify(url, error)),
            Err(_) => Err(UpstreamError::Timeout { url: self.shown(url), waiting: Waiting::Answer, limit }),
        }
    }

    fn classify(&self, asked: &Url, error: reqwest::Error) -> UpstreamError {
        let (url, source) = (self.shown(asked), error.without_url());
        if has_io_error(&source, std::io::ErrorKind::InvalidData) {
            // That is how rustls' own errors arrive, from the handshake or as an alert right after it.
            UpstreamError::Tls { url, source }
        } else if let Some(proxy) = self.proxy.as_ref().filter(|_| source.is_connect()) {
            proxy.failure(url, &source, !self.contacts.have(asked))
        } else if source.is_connect() && source.is_timeout() {
            UpstreamError::Timeout { url, waiting: Waiting::Connect, limit: self.connect_timeout }
        } else if source.is_connect() {
            UpstreamError::Connect { url, source, is_first_contact: !self.contacts.have(asked) }
        } else {
            UpstreamError::Broken { url, source }
        }
    }
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// A header's text; an error if it is not ASCII.
    pub(crate) fn header(&self, name: &HeaderName) -> Result<Option<&str>, UpstreamError> {
        let text = self.response.headers().get(name).map(HeaderValue::to_str).transpose();
        text.map_err(|_| self.bad(format!("the header {name} is not ASCII")))
    }

    pub(crate) fn bad(&self, reason: impl Into<String>) -> UpstreamError {
        UpstreamError::BadAnswer { url: self.url.clone(), reason: reason.into() }
    }

    /// Refuses a body that is not the content itself.
    pub(crate) fn check_encoding(&self) -> Result<(), UpstreamError> {
        match self.header(&CONTENT_ENCODING)?.map(str::trim) {
            None | Some("") => Ok(()),
            Some(encoding) if encoding.eq_ignore_ascii_case("identity") => Ok(()),
            Some(encoding) => Err(UpstreamError::ContentEncoding {
                url: self.url.clone(),
                encoding: encoding.chars().take(80).collect(),
            }),
        }
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}
