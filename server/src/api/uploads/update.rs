//! `PUT /uploads/<id>/`: one piece.

use openapi::objects::UploadChunk;
use registry::Digest;
use storage::{ArtifactUpload, Chunk, StorageError};

use crate::AppState;
use crate::api::error::ApiError;
use crate::api::form::Form;
use crate::telemetry::CorrelationId;

/// Pulp's field for what is wrong with the whole.
const WHOLE: &str = "non_field_errors";

pub(super) async fn update(
    state: &AppState,
    cid: &CorrelationId,
    upload: &ArtifactUpload,
    content_range: &str,
    mut form: Form<UploadChunk>,
) -> Result<(), ApiError> {
    let bytes = form.file();
    let fields = &mut form.fields;
    let expected = fields.nullable_text("sha256").flatten();
    if expected.is_some_and(|expected| !expected.eq_ignore_ascii_case(Digest::sha256_of(&bytes).hex())) {
        fields.refuse(WHOLE, "Checksum does not match chunk upload.");
    }
    let size_bytes = bytes.len() as u64;
    let offset_bytes = match read_range(content_range) {
        None => {
            fields.refuse(WHOLE, "Invalid or missing content range header.");
            0
        }
        Some((first, last)) => {
            if last.checked_sub(first).and_then(|more| more.checked_add(1)) != Some(size_bytes) {
                fields.refuse(WHOLE, "Chunk size does not match content range.");
            }
            if last >= upload.size_bytes {
                fields.refuse(WHOLE, "End byte is greater than upload size.");
            }
            first
        }
    };
    form.fields.finish()?;
    let arrived = async {
        state.blobs.write_chunk(upload.id, offset_bytes, bytes).await?;
        state.catalog.add_artifact_chunk(upload.id, Chunk { offset_bytes, size_bytes }).await
    };
    let arrived = arrived.await;
    if let Err(StorageError::NotFound { .. }) = arrived {
        // Thrown away meanwhile: what was just written goes too.
        state.blobs.remove_chunks(upload.id).await.map_err(|error| ApiError::from_storage(error, cid))?;
    }
    arrived.map_err(|error| ApiError::from_storage(error, cid))
}

/// `bytes <first>-<last>/<size or *>` (RFC 9110, 14.4).
fn read_range(text: &str) -> Option<(u64, u64)> {
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().ok()).flatten()
    };
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    if size != "*" {
        number(size)?;
    }
    Some((number(first)?, number(last)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        for (text, expected) in [
            ("bytes 0-9/10", Some((0, 9))),
            ("bytes 5-18446744073709551615/*", Some((5, u64::MAX))),
            ("bytes 0-18446744073709551616/*", None),
            ("bytes 0-9", None),
            ("bytes 0-9/", None),
            ("bytes -9/10", None),
            ("bytes +0-9/10", None),
            ("bytes */10", None),
            ("0-9/10", None),
            ("", None),
        ] {
            assert_eq!(read_range(text), expected, "{text}");
        }
    }
}
