//! What a browser and a monitor get from the same port.

use crate::clients::Browser;
use crate::fixture::Server;

#[test]
fn the_page_says_how_to_join_at_the_real_addresses() {
    let server = Server::start(&["--listen", "0=rooms"]);
    let browser = Browser::open(&format!("http://{}/", server.address()));
    let text = browser.text();
    for port in [server.address().port(), server.pinned("rooms").port()] {
        assert!(text.contains(&port.to_string()), "{port}: {text}");
    }
    for protocol in ["tmp", "muca", "rooms", "bridge", "messenger"] {
        assert!(text.contains(protocol), "{protocol}: {text}");
    }
}

#[test]
fn health_and_metrics_are_answered() {
    let server = Server::start(&[]);
    let get = |path: &str| {
        let mut answer = ureq::get(format!("http://{}{path}", server.address())).call().unwrap();
        answer.body_mut().read_to_string().unwrap()
    };
    assert!(!get("/healthz").is_empty());
    assert!(get("/metrics").contains("# TYPE polylogue_"), "{}", get("/metrics"));
}
