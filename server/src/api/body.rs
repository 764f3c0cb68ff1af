//! Request bodies. The document shows an object; the handler reads field by field, so that errors name fields.

use std::marker::PhantomData;

use poem::http::StatusCode;
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::fields::Fields;

/// A JSON object that the document describes as `T`. An empty body is an empty object.
pub(crate) struct Body<T> {
    /// The fields that were sent.
    pub(crate) fields: Fields,
    described_as: PhantomData<fn() -> T>,
}

impl<'a, T: Type> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType { content_type: "application/json", schema: T::schema_ref() }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        let bytes = body.take()?.into_bytes().await?;
        let fields = match request.content_type() {
            Some(kind) if kind.starts_with("application/x-www-form-urlencoded") => form(&bytes),
            Some(kind) if !bytes.is_empty() && !kind.starts_with("application/json") => {
                let detail = format!("Unsupported media type \"{kind}\" in request.");
                return Err(poem::Error::from_string(detail, StatusCode::UNSUPPORTED_MEDIA_TYPE));
            }
            _ => parse(&bytes)?,
        };
        Ok(Self { fields: Fields::new(fields), described_as: PhantomData })
    }
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, ApiError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => {
            Err(ApiError::bad_request(json!({"non_field_errors": ["Invalid data. Expected a dictionary."]})))
        }
        Err(error) => Err(ApiError::bad_request(json!({"detail": format!("JSON parse error - {error}")}))),
    }
}

/// A form's values are texts; the fields read numbers and booleans from texts too.
fn form(bytes: &[u8]) -> Map<String, Value> {
    url::form_urlencoded::parse(bytes)
        .map(|(key, value)| (key.into_owned(), Value::String(value.into_owned())))
        .collect()
}
