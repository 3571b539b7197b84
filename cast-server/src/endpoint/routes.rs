//! Which path leads where: poem's routes.

use std::sync::Arc;

use async_graphql::Executor;
use http::{HeaderValue, StatusCode, header};
use poem::{
    EndpointExt as _, Request, Response, Route,
    endpoint::{BoxEndpoint, make, make_sync},
    error::{MethodNotAllowedError, NotFoundError},
    get,
};

use super::{app_state::AppState, health, negotiation::MediaType, response::error_response};
use crate::protocol::{ErrorCode, RequestId};

/// All paths. `POST /graphql` is answered before they are asked, see `HttpService`.
///
/// Middleware goes around them here. Left out on purpose are poem's own metrics and traces, which label
/// by full URL and log query strings, and so tickets; and its compression.
pub(super) fn routes<E: Executor>(state: &Arc<AppState<E>>) -> BoxEndpoint<'static> {
    let live = || make_sync(|_| health::live());
    let ready = || {
        let state = Arc::clone(state);
        make(move |_| {
            let state = Arc::clone(&state);
            async move { state.ready().await }
        })
    };
    let scrape = || {
        let state = Arc::clone(state);
        make_sync(move |_| state.scrape())
    };
    // HEAD has the same endpoint, and hyper leaves out the body: by itself poem answers HEAD with the
    // `Content-Length` 0.
    let mut routes = Route::new()
        .at("/livez", get(live()).head(live()))
        .at("/readyz", get(ready()).head(ready()))
        .at("/healthz", get(ready()).head(ready()))
        .at("/metrics", get(scrape()).head(scrape()));
    if state.has_graphql {
        let state = Arc::clone(state);
        // It answers all methods: each error of its own has the media type that the client accepts.
        let graphql = make(move |mut request: Request| {
            let state = Arc::clone(&state);
            async move {
                let id = request.data::<RequestId>().cloned();
                let id = id.expect("every request has an id");
                state.graphql(&mut request, &id).await
            }
        });
        routes = routes.at("/graphql", graphql);
    }
    routes
        .catch_error(|_: NotFoundError| async { not_found() })
        .catch_error(|_: MethodNotAllowedError| async { method_not_allowed() })
        .boxed()
}

fn not_found() -> Response {
    error_response(
        MediaType::Json,
        StatusCode::NOT_FOUND,
        ErrorCode::BadUserInput,
        "Not found: GraphQL is at /graphql, health checks at /livez and /readyz, metrics at /metrics",
    )
}

fn method_not_allowed() -> Response {
    let mut response = error_response(
        MediaType::Json,
        StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::BadUserInput,
        "This path answers GET and HEAD",
    );
    let allowed = HeaderValue::from_static("GET, HEAD");
    response.headers_mut().insert(header::ALLOW, allowed);
    response
}
