//! Reading requests, and sending answers with the faults of transport.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::answers::{Reply, answer};
use super::{Fault, Recorded, State, lock};

pub(super) async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read_request(&mut stream).await {
        let (reply, faults) = {
            let mut state = lock(&state);
            state.busy += 1;
            state.busiest = state.busiest.max(state.busy);
            answer(&mut state, &request)
        };
        let is_open = send(stream.get_mut(), &request.method, reply, &faults).await;
        lock(&state).busy -= 1;
        if is_open.is_none() {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Recorded> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            text => lines.push(text.to_owned()),
        }
    }
    let mut first = lines.first()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers = (lines[1..].iter().filter_map(|line| line.split_once(':')))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Some(Recorded { method, path, headers, status: 0 })
}

/// Sends an answer with the faults of transport. `None` when the connection has to close.
async fn send(stream: &mut TcpStream, method: &str, reply: Reply, faults: &[Fault]) -> Option<()> {
    let Reply { status, headers, body } = reply;
    let (mut length, mut frame, mut cut, mut is_last) = (Some(body.len()), false, None, false);
    for fault in faults {
        match fault {
            Fault::CutBeforeAnswer => return None,
            Fault::CutAfter(bytes) => cut = Some(*bytes),
            Fault::LengthLie(more) => (length, is_last) = (Some(body.len() + more), true),
            Fault::NoLength => (length, is_last) = (None, true),
            Fault::Chunked => (length, frame) = (None, true),
            _ => {}
        }
    }
    let mut head = format!("HTTP/1.1 {status} Fake\r\n");
    for (name, value) in &headers {
        head.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
    }
    match length {
        Some(length) if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) => {
            head.push_str("Content-Length: ");
            head.push_str(&length.to_string());
            head.push_str("\r\n");
        }
        None if frame => head += "Transfer-Encoding: chunked\r\n",
        _ => {}
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await.ok()?;
    if method == "HEAD" {
        return Some(());
    }
    if frame && !body.is_empty() {
        stream.write_all(format!("{:x}\r\n", body.len()).as_bytes()).await.ok()?;
    }
    write_body(stream, &body[..cut.unwrap_or(body.len()).min(body.len())], faults).await?;
    if cut.is_none() && frame {
        stream.write_all(if body.is_empty() { b"0\r\n\r\n" } else { b"\r\n0\r\n\r\n" }).await.ok()?;
    }
    stream.flush().await.ok()?;
    (cut.is_none() && !is_last).then_some(())
}

async fn write_body(stream: &mut TcpStream, body: &[u8], faults: &[Fault]) -> Option<()> {
    for fault in faults {
        match fault {
            Fault::Drip { piece, every } => {
                for bytes in body.chunks(*piece) {
                    stream.write_all(bytes).await.ok()?;
                    tokio::time::sleep(*every).await;
                }
                return Some(());
            }
            Fault::Hold { after, until } => {
                let (now, later) = body.split_at((*after).min(body.len()));
                stream.write_all(now).await.ok()?;
                until.notified().await;
                return stream.write_all(later).await.ok();
            }
            _ => {}
        }
    }
    stream.write_all(body).await.ok()
}
