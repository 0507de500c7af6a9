//! The page at `/`: how to join from each protocol, at this server's real addresses.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hub::Dialect;
use hyper::header::HeaderValue;

use crate::joining::{Hint, hints};

/// How all pages look.
const STYLE: &str = "
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; }
h2 { font-size: 1.1rem; margin: 1.6rem 0 .3rem; }
pre { background: #8882; padding: .6rem .8rem; border-radius: .4rem; overflow-x: auto; margin: .3rem 0; }
p { margin: .3rem 0; }
label { display: block; }
input { font: inherit; width: 100%; max-width: 24rem; box-sizing: border-box; padding: .2rem .4rem; }
button { font: inherit; padding: .2rem 1rem; margin-top: .3rem; }
.good, .bad { padding: .6rem .8rem; border-radius: .4rem; background: #2a83; }
.bad { background: #c333; }
";

/// What a page may do: have this look, and send forms back where it came from.
pub(super) static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let digest = BASE64_STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
});

/// The beginning of a page.
pub(super) fn begin(title: &str) -> String {
    format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{STYLE}</style>
<h1>Polylogue</h1>
"#
    )
}

const FIRST: &str = "<p>One chat server, every client: whichever of these you join with, you meet the others in the lobby.</p>\n";
const ACCOUNTS: &str = "<h2>accounts</h2>\n<p><a href=\"/account\">Make an account</a>, so that your name is yours and you see \
    what you missed.</p>\n";

/// The page for somebody who reached the server as `host` (the request's Host header, not believed but escaped).
/// `secure`: by TLS, so that the same is offered for what runs in a browser. `accounts`: there are some to be had.
pub(crate) fn page(
    host: &str,
    lobby: &str,
    listening: &[(SocketAddr, Option<Dialect>)],
    (secure, accounts): (bool, bool),
) -> String {
    let mut page = begin("Polylogue: how to join") + FIRST;
    let name = host_name(host);
    let reached = |ip: IpAddr| if name.is_empty() { ip.to_string() } else { name.to_owned() };
    for Hint { dialect, first, then } in hints(listening, lobby, secure, reached) {
        let (first, then) = (escape(&first), escape(&then));
        // Writing to a string can't fail.
        let _ = write!(page, "<h2>{}</h2>\n<pre>{first}</pre>\n<p>{then}</p>\n", dialect.as_str());
    }
    if accounts {
        page.push_str(ACCOUNTS);
    }
    page
}

/// Whether a Host header names a host, and nothing else.
pub(super) fn host_is_fine(host: &str) -> bool {
    !host_name(host).is_empty()
}

/// The Host header without its port; nothing if it has characters that no host has.
fn host_name(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let fine = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if name.len() <= 255 && name.chars().all(fine) { name } else { "" }
}

pub(super) fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_page_names_real_ports_and_the_host_that_was_asked() {
        let listening = [(addr("0.0.0.0:5050"), None), (addr("0.0.0.0:8888"), Some(Dialect::Rooms))];
        let page = page("chat.example.org:5050", "hall", &listening, (false, false));
        for expected in [
            "nc chat.example.org 8888",
            "ws://chat.example.org:5050/",
            "chat.example.org 5050",
            "yourname_hall",
        ] {
            assert!(page.contains(expected), "{expected}");
        }
    }

    #[test]
    fn a_page_that_came_by_tls_offers_websockets_by_tls() {
        let page = page("chat.example.org", "hall", &[(addr("0.0.0.0:443"), None)], (true, true));
        assert!(page.contains("wss://chat.example.org:443/") && !page.contains("ws://"), "{page}");
    }

    #[test]
    fn a_host_can_not_write_into_the_page() {
        let listening = [(addr("127.0.0.1:5050"), None)];
        let page = page("<script>alert(1)</script>", "<b>", &listening, (false, false));
        assert!(!page.contains("<script>") && !page.contains("<b>") && page.contains("127.0.0.1"));
        assert_eq!(host_name("[::1]:5050"), "::1");
        assert_eq!(host_name("::1"), "::1");
        assert_eq!(escape("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }

    #[test]
    fn accounts_are_offered_where_there_are_some() {
        let shown = |accounts| page("h", "lobby", &[(addr("127.0.0.1:1"), None)], (false, accounts));
        assert!(shown(true).contains("href=\"/account\"") && !shown(false).contains("/account"));
    }

    #[test]
    fn what_is_not_spoken_is_not_offered() {
        let page = page("h", "lobby", &[(addr("127.0.0.1:8888"), Some(Dialect::Rooms))], (false, false));
        assert!(page.contains("rooms") && !page.contains("ws://"));
    }
}
