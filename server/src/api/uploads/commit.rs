//! `POST /uploads/<id>/commit/`

use openapi::Json;
use registry::Digest;
use registry::href::Kind;
use registry::task::{Reservation, Work};
use storage::ArtifactUpload;

use crate::AppState;
use crate::api::error::ApiError;
use crate::api::fields::Fields;
use crate::api::submit::{Accepted, Asker, submit};

pub(super) async fn commit(
    state: &AppState,
    asker: Asker<'_>,
    upload: &ArtifactUpload,
    mut fields: Fields,
) -> Result<Accepted, ApiError> {
    fields.require(&["sha256"]);
    let digest = fields.checked("sha256", |text| {
        let digest = format!("sha256:{}", text.to_ascii_lowercase()).parse::<Digest>();
        digest.map_err(|_| "A SHA-256 checksum has 64 hexadecimal digits.".to_owned())
    });
    if let Some((from, to)) = upload.first_gap() {
        let message = format!("The upload is not complete: the bytes {from}-{} are missing.", to - 1);
        fields.refuse("non_field_errors", message);
    }
    fields.finish()?;
    let digest = digest.expect("what is required and was not refused is there");
    let work = Work::CommitUpload { upload: upload.id, digest };
    let reservations = vec![Reservation::exclusive(Kind::Upload.prn(upload.id))];
    let started = async { submit(state.catalog.begin().await?, asker, work, reservations).await };
    let task = started.await.map_err(|error| ApiError::from_storage(error, asker.cid))?;
    Ok(Accepted::Accepted(Json(task)))
}
