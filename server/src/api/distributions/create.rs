//! `POST /distributions/container/container/`

use openapi::Json;
use openapi::objects::Distribution;
use registry::href::Kind;
use registry::task::{Reservation, Work};
use storage::NewDistribution;
use uuid::Uuid;

use super::read::read;
use crate::AppState;
use crate::api::body::Body;
use crate::api::error::ApiError;
use crate::api::submit::{Accepted, Asker, submit};

pub(super) async fn create(
    state: &AppState,
    asker: Asker<'_>,
    body: Body<Distribution>,
) -> Result<Accepted, ApiError> {
    let mut fields = body.fields;
    fields.require(&["name", "base_path"]);
    let given = read(state, asker.cid, fields).await?;
    let new = NewDistribution {
        name: given.name.unwrap_or_default(),
        base_path: given.base_path.unwrap_or_default(),
        labels: given.labels.unwrap_or_default(),
        repository: given.repository.flatten(),
        version: given.version.flatten(),
        private: given.private.unwrap_or_default(),
        description: given.description.flatten(),
        hidden: given.hidden.unwrap_or_default(),
    };
    let started = async {
        let tx = state.catalog.begin().await?;
        tx.check_new_distribution(&new).await?;
        let id = Uuid::now_v7();
        let mut reservations = vec![Reservation::exclusive(Kind::Distribution.prn(id))];
        let served = new.repository.or(new.version.map(|version| version.repository));
        reservations.extend(served.map(|repository| Reservation::shared(Kind::Repository.prn(repository))));
        let work = Work::CreateDistribution { distribution: id, fields: tx.seal(&new)? };
        submit(tx, asker, work, reservations).await
    };
    let task = started.await.map_err(|error| ApiError::from_storage(error, asker.cid))?;
    Ok(Accepted::Accepted(Json(task)))
}
