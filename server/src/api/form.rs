//! Forms with a file (`multipart/form-data`, RFC 7578). The whole is in memory already, and no larger than any body may be.

use std::marker::PhantomData;

use bytes::Bytes;
use poem::http::StatusCode;
use poem::web::Multipart;
use poem::{FromRequest, Request, RequestBody, Result};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::fields::Fields;

const KIND: &str = "multipart/form-data";
/// The field that is a file.
const FILE: &str = "file";
/// More parts than this are no form of this API.
const MAX_PARTS: usize = 50;

/// A form that the document describes as `T`.
pub(crate) struct Form<T> {
    /// The fields but the file, as texts.
    pub(crate) fields: Fields,
    file: Option<Bytes>,
    described_as: PhantomData<fn() -> T>,
}

impl<T> Form<T> {
    /// The file; that it is missing is noted.
    pub(crate) fn file(&mut self) -> Bytes {
        self.file.take().unwrap_or_else(|| {
            self.fields.refuse(FILE, "No file was submitted.");
            Bytes::new()
        })
    }
}

impl<'a, T: Type> ApiExtractor<'a> for Form<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType { content_type: KIND, schema: T::schema_ref() }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        let kind = request.content_type().unwrap_or_default();
        if !kind.starts_with(KIND) {
            let detail = format!("Unsupported media type \"{kind}\" in request.");
            return Err(poem::Error::from_string(detail, StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let broken = |error: &dyn std::fmt::Display| {
            ApiError::bad_request(json!({"detail": format!("Multipart form parse error - {error}")}))
        };
        let mut parts =
            <Multipart as FromRequest>::from_request(request, body).await.map_err(|error| broken(&error))?;
        let (mut fields, mut file, mut count) = (Map::new(), None, 0);
        while let Some(part) = parts.next_field().await.map_err(|error| broken(&error))? {
            count += 1;
            if count > MAX_PARTS {
                return Err(broken(&format!("more than {MAX_PARTS} parts")).into());
            }
            let name = part.name().unwrap_or_default().to_owned();
            let is_file = name == FILE;
            let bytes = part.bytes().await.map_err(|error| broken(&error))?;
            if is_file {
                file = Some(bytes.into());
            } else {
                let text = String::from_utf8(bytes).map_err(|error| broken(&error))?;
                fields.insert(name, Value::String(text));
            }
        }
        Ok(Self { fields: Fields::new(fields), file, described_as: PhantomData })
    }
}
