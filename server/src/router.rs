//! Every route of the server, in one function.

use poem::endpoint::make;
use poem::error::{MethodNotAllowedError, NotFoundError};
use poem::{Endpoint, EndpointExt, Request, Response, Result, Route, get};

use crate::limits::LimitBody;
use crate::telemetry::{CorrelationId, Traced};
use crate::v2::{V2, V2Error};
use crate::{AppState, api, health, metrics, token, ui};

/// The whole application.
pub fn routes(state: AppState) -> impl Endpoint<Output = Response> + 'static {
    let management = LimitBody {
        inner: api::routes(state.clone()),
        max_bytes: state.config.max_body_bytes,
        timeout: state.config.body_timeout,
    };
    let rest = health(&state)
        .at("/", with(&state, |state, request| async move { ui::index(&state, &request) }))
        .at("/ui/tasks", with(&state, ui::tasks::get))
        .at("/ui/tasks/", with(&state, ui::tasks::get))
        .at("/token", with(&state, token::get))
        .at("/token/", with(&state, token::get))
        .nest("/pulp/api/v3", management);
    let http = state.metrics.http().clone();
    Traced::new(App { v2: V2::new(state), rest }, http)
}

/// What a worker answers.
pub fn health_routes(state: &AppState) -> impl Endpoint<Output = Response> + 'static {
    Traced::new(health(state).map_to_response(), state.metrics.http().clone())
}

fn health(state: &AppState) -> Route {
    Route::new()
        .at("/livez", with(state, |_, _| async { health::livez() }))
        .at("/readyz", with(state, |state, _| health::readyz(state)))
        .at("/metrics", with(state, metrics::get))
}

/// `GET` (and `HEAD`) by a function of the state and the request.
fn with<F>(
    state: &AppState,
    answer: impl Fn(AppState, Request) -> F + Send + Sync + 'static,
) -> poem::RouteMethod
where
    F: Future<Output = Response> + Send + 'static,
{
    let state = state.clone();
    get(make(move |request| answer(state.clone(), request)))
}

/// `/v2` goes before the routing tree: repository names contain slashes, and pulls are the hot path.
struct App {
    v2: V2,
    rest: Route,
}

impl Endpoint for App {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let path = request.uri().path();
        if path == "/v2" || path.starts_with("/v2/") {
            self.v2.call(request).await
        } else {
            let cid = CorrelationId::of_request(&request);
            Ok(match self.rest.call(request).await {
                Ok(response) => response,
                // What clients send here by mistake was meant for the registry; they read its errors.
                Err(error) if error.is::<NotFoundError>() => V2Error::NoSuchEndpoint.into_response(&cid),
                Err(error) if error.is::<MethodNotAllowedError>() => {
                    V2Error::MethodNotAllowed("GET, HEAD").into_response(&cid)
                }
                Err(error) => error.into_response(),
            })
        }
    }
}
