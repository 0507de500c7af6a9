//! The web service: health, metrics, the page.

use crate::fixture::{Fixture, Peer};

fn get(peer: &mut Peer, method: &str, path: &str) -> (String, String) {
    peer.send(&format!("{method} {path} HTTP/1.1\r\nHost: chat.example.org\r\n\r\n"));
    let head = peer.read_until("\r\n\r\n");
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = String::new();
    if method != "HEAD" {
        while body.len() < length.unwrap_or(0) {
            body.push_str(&peer.read_until("\n"));
        }
    }
    (head.lines().next().unwrap_or_default().to_owned(), body)
}

#[test]
fn one_connection_takes_several_requests() {
    let server = Fixture::start();
    let _ana = server.rooms("ana", "lobby");
    let mut peer = server.connect();
    assert_eq!(get(&mut peer, "GET", "/healthz"), ("HTTP/1.1 200 OK".into(), "ok\n".into()));
    let (status, metrics) = get(&mut peer, "GET", "/metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    for line in ["polylogue_sessions{dialect=\"rooms\"} 1", "polylogue_users 1", "polylogue_rooms 1"] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    let (_, page) = get(&mut peer, "GET", "/");
    let port = server.addr.port();
    assert!(page.contains(&format!("nc chat.example.org {port}")), "{page}");
    assert_eq!(get(&mut peer, "HEAD", "/").0, "HTTP/1.1 200 OK");
    assert_eq!(get(&mut peer, "GET", "/nothing").0, "HTTP/1.1 404 Not Found");
    assert_eq!(get(&mut peer, "DELETE", "/").0, "HTTP/1.1 405 Method Not Allowed");
}

#[test]
fn what_is_no_request_is_answered() {
    let server = Fixture::start();
    let mut peer = server.connect();
    peer.send("GET / HTTP/1.1\r\nno colon\r\n\r\n");
    let answer = peer.rest();
    assert!(answer.starts_with(b"HTTP/1.1 400 "), "{:?}", String::from_utf8_lossy(&answer));
}
