//! How values go over the wire: JSON without a charset, since the `pulp` command compares the content type as text,
//! and moments with microseconds and `Z`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use futures::stream::BoxStream;
use poem::web::sse::{Event, SSE};
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::payload::Payload;
use poem_openapi::registry::{
    MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry as MetaRegistry,
};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use registry::Timestamp;
use serde_json::Value;

/// A JSON answer, with `application/json` as its whole content type.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

impl<T: Type> Payload for Json<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut MetaRegistry) {
        T::register(registry);
    }
}

impl<T: ToJSON> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        Response::builder().content_type(Self::CONTENT_TYPE).body(self.0.to_json_string())
    }
}

impl<T: ToJSON> ApiResponse for Json<T> {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType { content_type: Self::CONTENT_TYPE, schema: Self::schema_ref() }],
                headers: vec![],
            }],
        }
    }

    fn register(registry: &mut MetaRegistry) {
        T::register(registry);
    }
}

/// Server-sent events (WHATWG HTML, "Server-sent events"). Their names and data are told where they are declared.
pub struct Events(SSE);

impl Events {
    /// Sends what the stream gives, and comments meanwhile, so that the connection is never silent for longer than
    /// `heartbeat`.
    pub fn new(events: BoxStream<'static, Event>, heartbeat: Duration) -> Self {
        Self(SSE::new(events).keep_alive(heartbeat))
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

impl Payload for Events {
    const CONTENT_TYPE: &'static str = "text/event-stream";

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")))
    }
}

impl IntoResponse for Events {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

/// A moment as the API writes it: `2026-11-24T07:19:16.170022Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl Type for Moment {
    const IS_REQUIRED: bool = true;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string_date-time".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "date-time")))
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ToJSON for Moment {
    fn to_json(&self) -> Option<Value> {
        Some(Value::String(self.0.to_string()))
    }
}

impl ParseFromJSON for Moment {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        let text = value.as_ref().and_then(Value::as_str).ok_or_else(ParseError::expected_input)?;
        let moment = chrono::DateTime::parse_from_rfc3339(text).map_err(ParseError::custom)?;
        Ok(Self(moment.to_utc().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_with_microseconds_and_read_back() {
        let moment = Moment(Timestamp::from_micros(1_795_504_756_170_022));
        let written = moment.to_json();
        assert_eq!(written, Some("2026-11-24T07:19:16.170022Z".into()));
        assert_eq!(Moment::parse_from_json(written).unwrap(), moment);
        assert!(Moment::parse_from_json(Some("yesterday".into())).is_err());
    }
}
