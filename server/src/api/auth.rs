//! Who calls: HTTP Basic (RFC 7617).

use poem::{Request, Result};
use poem_openapi::SecurityScheme;
use poem_openapi::auth::Basic;
use storage::User;

use super::error::ApiError;
use crate::AppState;
use crate::telemetry::CorrelationId;

/// A user who proved to be one.
#[derive(SecurityScheme)]
#[oai(rename = "basicAuth", ty = "basic", checker = "verify")]
pub(crate) struct Caller(pub(crate) User);

async fn verify(request: &Request, basic: Basic) -> Result<User> {
    let state = request.data::<AppState>().expect("the state is set where the routes are built");
    let found = state.catalog.verify_password(&basic.username, &basic.password).await;
    let cid = CorrelationId::of_request(request);
    match found {
        Ok(Some(user)) if user.is_admin => Ok(user),
        Ok(Some(_)) => Err(ApiError::forbidden().into()),
        Ok(None) => Err(ApiError::unauthorized("Invalid username/password.").into()),
        Err(error) => Err(ApiError::from_storage(error, &cid).into()),
    }
}
