//! What a browser and a monitor get from the same port.

use crate::clients::Browser;
use crate::fixture::Server;
use crate::http;

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
    let get = |path: &str| http::ask(server.address(), "GET", path, "");
    assert_eq!(get("/healthz").status, 200);
    let metrics = get("/metrics");
    assert_eq!(metrics.status, 200);
    assert!(metrics.body.contains("# TYPE polylogue_"), "{}", metrics.body);
    assert_eq!(get("/nothing").status, 404);
}
