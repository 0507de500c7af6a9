//! A headless Chromium, driven through its driver, whose page speaks tmp over a WebSocket.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, id};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fixture::Process;
use crate::http;
use crate::stream::PATIENCE;

/// A browser with one page.
pub(crate) struct Browser {
    driver: SocketAddr,
    session: String,
    profile: PathBuf,
    _process: Process,
}

/// The client as the reference page has it: header fields are padded in UTF-16 units, as `padEnd` counts.
const CLIENT: &str = r#"
    window.seen = [];
    const frame = (type, user, body) => `tmp://${type.padEnd(32)}::/${user.padEnd(20)}::/${body}`;
    window.say = text => socket.send(frame("CHAT_MSSG", name, text));
    const [url, name] = arguments;
    const socket = new WebSocket(url);
    socket.onmessage = ({ data }) => {
        const [type, user, body] = [data.slice(6, 38).trim(), data.slice(41, 61).trim(), data.slice(64)];
        seen.push([type, user, body].join("|"));
        if (type === "STATE_UPG_1") socket.send(frame("SET_USR", name, ""));
    };
    socket.onclose = ({ code }) => seen.push("closed " + code);
"#;

/// The driver takes a free port of one kind of address and then wants the same of the other, which may be somebody
/// else's: then it gives up, and is started again.
fn driver() -> (Process, u16) {
    for _ in 0..10 {
        let mut process = Process::start("chromedriver", Command::new("chromedriver").arg("--port=0"));
        loop {
            let line = process.stdout.line();
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                return (process, port.trim_end_matches('.').parse().unwrap());
            }
            if line.contains("port not available") {
                process.wait();
                break;
            }
        }
    }
    panic!("chromedriver finds no port")
}

impl Browser {
    /// Starts a browser and opens a page.
    ///
    /// # Panics
    /// If there is no `chromium` or no `chromedriver`.
    pub(crate) fn open(url: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let profile = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("chromium-{}-{count}", id()));
        let (process, port) = driver();
        let driver = SocketAddr::from(([127, 0, 0, 1], port));
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            // Tests make their certificates themselves.
            "--ignore-certificate-errors",
            &format!("--user-data-dir={}", profile.display()),
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
        }}});
        let answer = post(driver, "/session", &wanted);
        let session = answer["value"]["sessionId"].as_str().unwrap_or_else(|| {
            panic!("no browser: {answer}\nhint: `cargo xtask test` installs chromium and its driver")
        });
        let session = format!("/session/{session}");
        let browser = Self { driver, session, profile, _process: process };
        browser.ask("url", &json!({ "url": url }));
        browser
    }

    /// Joins as a tmp client.
    pub(crate) fn join(&self, address: SocketAddr, name: &str) {
        self.join_at(&format!("ws://{address}/"), name);
    }

    /// Joins as a tmp client at a WebSocket's URL.
    pub(crate) fn join_at(&self, url: &str, name: &str) {
        self.ask_page(CLIENT, json!([url, name]));
        self.expect(&format!("STATE_UPG_2|{name}|"));
    }

    /// Sends a body to everybody.
    pub(crate) fn say(&self, body: &str) {
        self.ask_page("window.say(arguments[0])", json!([body]));
    }

    /// Waits until the page has received `TYPE|USER|BODY`.
    #[track_caller]
    pub(crate) fn expect(&self, wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.ask_page("return window.seen", json!([]));
            if seen.as_array().is_some_and(|seen| seen.iter().any(|message| message == wanted)) {
                return;
            }
            assert!(Instant::now() < deadline, "the browser: {wanted:?} didn't come; what came: {seen}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs a script in the page.
    pub(crate) fn run(&self, script: &str) {
        self.ask_page(script, json!([]));
    }

    /// The text that a person sees on the page.
    pub(crate) fn text(&self) -> String {
        self.ask_page("return document.body.innerText", json!([])).as_str().unwrap_or_default().to_owned()
    }

    /// Opens another page.
    pub(crate) fn go(&self, url: &str) {
        self.ask("url", &json!({ "url": url }));
    }

    /// Types into the field that a CSS selector finds.
    pub(crate) fn fill(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.ask(&format!("element/{element}/value"), &json!({ "text": text }));
    }

    /// Clicks on what a CSS selector finds.
    pub(crate) fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.ask(&format!("element/{element}/click"), &json!({}));
    }

    fn element(&self, selector: &str) -> String {
        let found = self.ask("element", &json!({ "using": "css selector", "value": selector }));
        let ids = found["value"].as_object().and_then(|ids| ids.values().next());
        ids.and_then(Value::as_str).unwrap_or_else(|| panic!("{selector}: {found}")).to_owned()
    }

    /// Waits until a person sees a text on the page.
    #[track_caller]
    pub(crate) fn expect_text(&self, wanted: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = self.text();
            if text.contains(wanted) {
                return text;
            }
            assert!(Instant::now() < deadline, "the browser: no {wanted:?} on the page: {text}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What a script in the page gives.
    pub(crate) fn value(&self, script: &str) -> Value {
        self.ask_page(script, json!([]))
    }

    fn ask_page(&self, script: &str, arguments: Value) -> Value {
        self.ask("execute/sync", &json!({ "script": script, "args": arguments }))["value"].take()
    }

    fn ask(&self, what: &str, body: &Value) -> Value {
        let answer = post(self.driver, &format!("{}/{what}", self.session), body);
        assert!(answer["value"]["error"].is_null(), "{what}: {answer}");
        answer
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser with the session; killed first, it would leave it behind.
        let _ = http::ask(self.driver, "DELETE", &self.session, "");
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// The address of an empty page, for a client to live in. The server's own page won't do: it forbids itself all
/// connections. Nor will one without an origin: browsers keep those away from loopback.
pub(crate) fn empty_page() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            // The request is read to its end, or closing would reset the connection under the answer.
            let _ = BufReader::new(&stream).lines().map_while(Result::ok).find(String::is_empty);
            let _ = stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\nConnection: close\r\n\r\n\
                  <!doctype html>",
            );
        }
    });
    format!("http://{address}/")
}

fn post(driver: SocketAddr, path: &str, body: &Value) -> Value {
    serde_json::from_str(&http::ask(driver, "POST", path, &body.to_string()).body).unwrap()
}
