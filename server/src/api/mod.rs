//! The management API.

/// Every route under `/pulp/api/v3`.
pub fn routes(_: crate::state::AppState) -> poem::Route {
    poem::Route::new()
}
