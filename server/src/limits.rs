//! Limits on the bodies of management requests, which are read whole.

use std::time::Duration;

use poem::error::ReadBodyError;
use poem::http::StatusCode;
use poem::{Body, Endpoint, IntoResponse, Request, Response, Result};

/// Reads the body before the inner endpoint runs: at most so many bytes, within so much time.
pub(crate) struct LimitBody<E> {
    pub(crate) inner: E,
    pub(crate) max_bytes: usize,
    pub(crate) timeout: Duration,
}

impl<E: Endpoint> Endpoint for LimitBody<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let body = request.take_body();
        if body.is_empty() {
            request.set_body(Body::empty());
        } else {
            match tokio::time::timeout(self.timeout, body.into_bytes_limit(self.max_bytes)).await {
                Ok(Ok(bytes)) => request.set_body(bytes),
                Ok(Err(ReadBodyError::PayloadTooLarge)) => {
                    let text = format!("The body is larger than {} bytes.", self.max_bytes);
                    return Ok(refuse(StatusCode::PAYLOAD_TOO_LARGE, &text));
                }
                Ok(Err(_)) => return Ok(refuse(StatusCode::BAD_REQUEST, "The body broke off.")),
                Err(_) => return Ok(refuse(StatusCode::REQUEST_TIMEOUT, "The body took too long.")),
            }
        }
        self.inner.call(request).await.map(IntoResponse::into_response)
    }
}

fn refuse(status: StatusCode, detail: &str) -> Response {
    Response::builder()
        .status(status)
        .content_type("application/json")
        .body(serde_json::json!({ "detail": detail }).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use poem::endpoint::make;
    use poem::test::TestClient;

    #[tokio::test]
    async fn large_and_slow_bodies_are_refused() {
        let echo = make(|mut request: Request| async move { request.take_body().into_string().await });
        let limited = LimitBody { inner: echo, max_bytes: 4, timeout: Duration::from_millis(20) };
        let client = TestClient::new(limited);
        client.post("/").body("1234").send().await.assert_text("1234").await;
        client.get("/").send().await.assert_text("").await;
        let answer = client.post("/").body("12345").send().await;
        answer.assert_status(StatusCode::PAYLOAD_TOO_LARGE);
        answer.assert_text("{\"detail\":\"The body is larger than 4 bytes.\"}").await;
        let never = futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
        let answer = client.post("/").body(Body::from_bytes_stream(never)).send().await;
        answer.assert_status(StatusCode::REQUEST_TIMEOUT);
    }
}
