//! Accepts connections and drives them until the shutdown.
//!
//! This is in place of `poem::Server`, whose loop lets a client sit on a connection forever and spins when
//! `accept` fails (no free file descriptors). Plain HTTP/1.1 only, which is all that registry clients and
//! proxies speak without TLS.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, EndpointExt, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::StallGuard;
use crate::{AppState, ServerConfig, router};

/// A request's head may have this many bytes: names, tokens and filters fit well within.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// How long to wait after `accept` failed, usually because file descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// Everything.
    All,
    /// Only how the process is, for a worker.
    Health,
}

/// Answers requests on `listener` until `shutdown`; then no connection is accepted any more, and requests
/// that run have [`ServerConfig::shutdown_grace`] to finish.
pub async fn serve(
    mut state: AppState,
    surface: Surface,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let config = Arc::clone(&state.config);
    state.closing = shutdown.clone();
    let sent = state.metrics.http().sent();
    let local = listener.local_addr()?;
    tracing::info!(address = %local, "listening on {local}");
    let application = Arc::new(match surface {
        Surface::All => router::routes(state).boxed(),
        Surface::Health => router::health_routes(&state).boxed(),
    });
    let connections = TaskTracker::new();
    let abort = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, remote)) => {
                let addresses = (LocalAddr(Addr::from(local)), RemoteAddr(Addr::from(remote)));
                let socket = StallGuard::new(prepared(socket), config.stall_timeout, sent.clone());
                let connection =
                    drive(Arc::clone(&application), socket, addresses, Arc::clone(&config), shutdown.clone());
                let abort = abort.clone();
                connections.spawn(async move {
                    tokio::select! { () = connection => {}, () = abort.cancelled() => {} }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(config.shutdown_grace, connections.wait()).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "cutting connections that outlasted the grace period"
        );
        abort.cancel();
        connections.wait().await;
    }
    Ok(())
}

/// Drives one connection to its end. After the shutdown began, the request that runs is its last.
async fn drive<E>(
    application: Arc<E>,
    socket: StallGuard<TcpStream>,
    (local, remote): (LocalAddr, RemoteAddr),
    config: Arc<ServerConfig>,
    shutdown: CancellationToken,
) where
    E: Endpoint<Output = Response> + 'static,
{
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let application = Arc::clone(&application);
        let request = (request, local.clone(), remote.clone(), Scheme::HTTP).into();
        async move { Ok::<_, Infallible>(application.get_response(request).await.into()) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, remote = %remote, "a connection broke");
    }
}

/// Answers are sent at once, however small they are.
fn prepared(socket: TcpStream) -> TcpStream {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    socket
}
