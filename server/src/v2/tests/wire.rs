//! The same over a socket: what the HTTP layer adds, limits and the shutdown.

use std::time::Duration;

use registry::Digest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::fixture::{Fixture, PUBLIC_MIRROR};
use crate::{ServerConfig, Surface, serve};

struct Running {
    address: std::net::SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

async fn start(fixture: &Fixture) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(serve(fixture.state.clone(), Surface::All, listener, shutdown.clone()));
    Running { address, shutdown, task }
}

async fn exchange(running: &Running, request: &str) -> Vec<u8> {
    let mut socket = TcpStream::connect(running.address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    answer
}

fn body(answer: &[u8]) -> &[u8] {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    &answer[end + 4..]
}

#[tokio::test]
async fn blobs_are_sent_with_their_length() {
    let fixture = Fixture::new().await;
    let content: Vec<u8> = (0..1_000_000u32).map(|number| (number % 253) as u8).collect();
    let image = fixture.serve("a", &PUBLIC_MIRROR, &["t"], &content).await;
    let running = start(&fixture).await;
    let tail = format!("/v2/a/blobs/{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", image.layer);
    let answer = exchange(&running, &format!("GET {tail}")).await;
    let head = String::from_utf8_lossy(&answer[..answer.len() - content.len()]).into_owned();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-length: 1000000\r\n") && !head.contains("transfer-encoding"), "{head}");
    assert_eq!(Digest::sha256_of(body(&answer)), image.layer);
    let head_only = exchange(&running, &format!("HEAD {tail}")).await;
    assert!(String::from_utf8_lossy(&head_only).contains("content-length: 1000000\r\n"));
    assert!(body(&head_only).is_empty());
    running.shutdown.cancel();
    running.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn slow_heads_and_huge_heads_end_the_connection() {
    let config = ServerConfig { header_timeout: Duration::from_millis(100), ..ServerConfig::default() };
    let fixture = Fixture::with(config).await;
    let running = start(&fixture).await;
    for beginning in ["", "GET /v2/ HTTP/1.1\r\nhost: x\r\n"] {
        let answer = tokio::time::timeout(Duration::from_secs(10), exchange(&running, beginning)).await;
        let answer = String::from_utf8(answer.unwrap()).unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    let huge = format!("GET /v2/{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(60_000));
    let answer = String::from_utf8(exchange(&running, &huge).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404") || answer.starts_with("HTTP/1.1 414"), "{answer}");
    running.shutdown.cancel();
    running.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_shutdown_lets_requests_finish_and_cuts_what_outlasts_the_grace() {
    let config = ServerConfig { shutdown_grace: Duration::from_millis(300), ..ServerConfig::default() };
    let fixture = Fixture::with(config).await;
    // More than the socket buffers hold, so that it is still being sent.
    let content = vec![7; 24 * 1024 * 1024];
    let image = fixture.serve("a", &PUBLIC_MIRROR, &["t"], &content).await;
    let request = format!("GET /v2/a/blobs/{} HTTP/1.1\r\nhost: x\r\n\r\n", image.layer);
    for patient in [true, false] {
        let running = start(&fixture).await;
        let idle = TcpStream::connect(running.address).await.unwrap();
        let mut busy = TcpStream::connect(running.address).await.unwrap();
        busy.write_all(request.as_bytes()).await.unwrap();
        let mut first = [0; 1];
        busy.read_exact(&mut first).await.unwrap();
        running.shutdown.cancel();
        let mut rest = Vec::new();
        if !patient {
            tokio::time::sleep(Duration::from_millis(600)).await;
        }
        let read = busy.read_to_end(&mut rest).await;
        let whole = read.is_ok() && rest.len() > content.len();
        assert_eq!(whole, patient);
        running.task.await.unwrap().unwrap();
        assert!(TcpStream::connect(running.address).await.is_err());
        drop(idle);
    }
}
