//! The page at `/`: how to join from each protocol, at this server's real addresses.

use std::fmt::Write;
use std::net::SocketAddr;

use hub::Dialect;

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Polylogue: how to join</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; }
h2 { font-size: 1.1rem; margin: 1.6rem 0 .3rem; }
pre { background: #8882; padding: .6rem .8rem; border-radius: .4rem; overflow-x: auto; margin: .3rem 0; }
p { margin: .3rem 0; }
</style>
<h1>Polylogue</h1>
<p>One chat server, every client: whichever of these you join with, you meet the others in the lobby.</p>
"#;

/// The page for somebody who reached the server as `host` (the request's Host header, not believed but escaped).
pub(crate) fn page(host: &str, listening: &[(SocketAddr, Option<Dialect>)]) -> String {
    let mut page = HEAD.to_owned();
    let name = host_name(host);
    for dialect in Dialect::ALL {
        let Some((addr, _)) = door(dialect, listening) else { continue };
        let shown = if name.is_empty() { addr.ip().to_string() } else { name.to_owned() };
        let (title, how) = how_to_join(dialect, &shown, addr.port());
        // Writing to a string can't fail.
        let _ = write!(page, "<h2>{title}</h2>\n<pre>{}</pre>\n", escape(&how));
    }
    page
}

/// Where a protocol is spoken: its own port rather than one that detects.
fn door(
    dialect: Dialect,
    listening: &[(SocketAddr, Option<Dialect>)],
) -> Option<&(SocketAddr, Option<Dialect>)> {
    let with = |wanted| listening.iter().find(move |(_, spoken)| *spoken == wanted);
    with(Some(dialect)).or_else(|| with(None))
}

fn how_to_join(dialect: Dialect, host: &str, port: u16) -> (&'static str, String) {
    match dialect {
        Dialect::Tmp => (
            "tmp, over WebSocket",
            format!("ws://{host}:{port}/        the lobby\nws://{host}:{port}/ROOM    a room of that name"),
        ),
        Dialect::Muca => (
            "muca",
            format!(
                "{{\"USERID\": \"you@example.org\", \"NICKNAME\": \"You\",\n \"SERVER\": \"{host}\", \"SERVER_PORT\": {port}}}"
            ),
        ),
        Dialect::Rooms => (
            "rooms, with nothing but nc",
            format!("nc {host} {port}\nyourname_lobby      (then type; each line is a message)"),
        ),
        Dialect::Bridge => {
            ("bridge", format!("a bridge client's server: {host} {port}\n/register, /bridge, /chat"))
        }
        Dialect::Messenger => (
            "messenger",
            format!("a messenger client's server: {host} {port}\n@ALL hello everybody\n@NAME hello you"),
        ),
    }
}

/// The Host header without its port; nothing if it has characters that no host has.
fn host_name(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    let fine = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    if name.len() <= 255 && name.chars().all(fine) { name } else { "" }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
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
        let page = page("chat.example.org:5050", &listening);
        for expected in ["nc chat.example.org 8888", "ws://chat.example.org:5050/", "chat.example.org 5050"] {
            assert!(page.contains(expected), "{expected}");
        }
    }

    #[test]
    fn a_host_can_not_write_into_the_page() {
        let listening = [(addr("127.0.0.1:5050"), None)];
        let page = page("<script>alert(1)</script>", &listening);
        assert!(!page.contains("<script>") && page.contains("127.0.0.1"));
        assert_eq!(host_name("[::1]:5050"), "[::1]");
        assert_eq!(host_name("::1"), "::1");
        assert_eq!(escape("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }

    #[test]
    fn what_is_not_spoken_is_not_offered() {
        let page = page("h", &[(addr("127.0.0.1:8888"), Some(Dialect::Rooms))]);
        assert!(page.contains("rooms") && !page.contains("ws://"));
    }
}
