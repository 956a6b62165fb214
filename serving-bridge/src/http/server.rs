//! Listening, limits per connection, and an orderly end.

use crate::bridge::Bridge;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long an accept that failed (no file descriptors left) is waited for before the next.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Limits of a server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The largest body, in bytes.
    pub body_bytes_max: usize,
    /// The largest request line with headers, in bytes.
    pub header_bytes_max: usize,
    /// The most questions of one request.
    pub questions_max: usize,
    /// The most connections at once; further ones wait to be taken.
    pub connections_max: usize,
    /// How long the body of a request may take to come.
    pub read_timeout: Duration,
    /// How long a connection may take from one request to the end of the next one's headers; one
    /// that is idle for so long is closed.
    pub idle_timeout: Duration,
    /// How long requests under way may take once the server ends.
    pub shutdown_timeout: Duration,
    /// The age of a version's last label, by the wall clock, from which on the server is not ready;
    /// none is no limit. The definition's `expires` holds in any case.
    pub staleness_max: Option<Duration>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            body_bytes_max: 1 << 20,
            header_bytes_max: 16 << 10,
            questions_max: 10_000,
            connections_max: 1_024,
            read_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            shutdown_timeout: Duration::from_secs(10),
            staleness_max: None,
        }
    }
}

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    bridge: Bridge,
    options: ServerOptions,
}

impl Server {
    /// Listens at an address; port 0 is any free one, see [`Server::local_addr`].
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind(
        address: SocketAddr,
        bridge: Bridge,
        options: ServerOptions,
    ) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, bridge, options })
    }

    /// The address that it listens at.
    ///
    /// # Errors
    /// When the system does not know it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `shutdown` is done; then takes no more connections, finishes the requests
    /// under way, and returns.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, bridge, options } = self;
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(options.connections_max));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(options.idle_timeout)
            .max_header_size(options.header_bytes_max);
        let patience = options.shutdown_timeout;
        let router = super::router(bridge, options);
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener, &places) => accepted,
                () = &mut shutdown => break,
            };
            let Some((stream, place)) = accepted else { continue };
            let service = TowerToHyperService::new(router.clone());
            let connection = http.serve_connection(TokioIo::new(stream), service);
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                // A connection that breaks is its client's affair.
                connection.await.ok();
                drop(place);
            });
        }
        drop(listener);
        // Whoever has not finished by then is cut off when the runtime ends.
        tokio::time::timeout(patience, graceful.shutdown()).await.ok();
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            stream.set_nodelay(true).ok();
            Some((stream, place))
        }
        Err(_) => {
            tokio::time::sleep(ACCEPT_AGAIN).await;
            None
        }
    }
}
