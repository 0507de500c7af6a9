//! Certificates from files, and programs that check them: `openssl` and a browser.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::generate_simple_self_signed;
use rustix::process::Signal;

use crate::clients::{Browser, Socket, empty_page};
use crate::fixture::{Process, Server, output, polylogue};

/// A certificate and its key in files, which are removed when the test is over.
pub(crate) struct Identity {
    cert: PathBuf,
    key: PathBuf,
}

impl Identity {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let file = |end: &str| folder.join(format!("tls-{}-{number}-{end}.pem", std::process::id()));
        let identity = Self { cert: file("cert"), key: file("key") };
        identity.renew();
        identity
    }

    /// Writes another certificate.
    fn renew(&self) {
        let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&self.cert, made.cert.pem()).unwrap();
        std::fs::write(&self.key, made.signing_key.serialize_pem()).unwrap();
    }

    pub(crate) fn cert(&self) -> &str {
        self.cert.to_str().unwrap()
    }

    pub(crate) fn key(&self) -> &str {
        self.key.to_str().unwrap()
    }

    /// `openssl`, connected; it ends if the server can't prove that it is who this certificate says.
    fn connect(&self, server: &Server, arguments: &[&str]) -> Process {
        let mut command = Command::new("openssl");
        command.args([
            "s_client",
            "-quiet",
            "-no_ign_eof",
            "-verify_return_error",
            "-verify_hostname",
            "localhost",
        ]);
        command.args(["-connect", &server.address().to_string(), "-CAfile", self.cert()]).args(arguments);
        Process::start("openssl", command.stderr(std::process::Stdio::null()))
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.cert);
        let _ = std::fs::remove_file(&self.key);
    }
}

#[test]
fn openssl_is_served_in_both_versions_with_and_without_a_certificate_of_its_own() {
    let (identity, own) = (Identity::new(), Identity::new());
    let server = Server::start(&["--tls-cert", identity.cert(), "--tls-key", identity.key()]);
    let mut bob = Socket::connect("rooms", server.address());
    bob.send("bob_den\n");
    bob.expect("200\n");
    for (number, version) in ["-tls1_2", "-tls1_3"].into_iter().enumerate() {
        for (own_arguments, name) in [(vec![], "ana"), (vec!["-cert", own.cert(), "-key", own.key()], "eve")]
        {
            let mut client = identity.connect(&server, &[&[version], own_arguments.as_slice()].concat());
            client.write(&format!("{name}{number}_den\n"));
            client.stdout.expect("200\n");
            client.write("hello\n");
            client.stdout.expect(&format!("{name}{number} - hello\n"));
            bob.expect(&format!("{name}{number} - hello\n"));
            client.close_stdin();
            client.stdout.end();
        }
    }
}

#[test]
fn sighup_takes_a_new_certificate_and_keeps_the_old_one_instead_of_a_broken_one() {
    let identity = Identity::new();
    let mut command = polylogue();
    command.args(["serve", "--listen", "0"]);
    command.env("POLYLOGUE_TLS__CERT", identity.cert()).env("POLYLOGUE_TLS__KEY", identity.key());
    let mut server = Server::start_as(&mut command);
    let mut ana = identity.connect(&server, &[]);
    ana.write("ana_den\n");
    ana.stdout.expect("200\n");

    let good = std::fs::read(&identity.cert).unwrap();
    std::fs::write(&identity.cert, "rubbish").unwrap();
    server.process().signal(Signal::HUP);
    let log = server.process().stderr.as_mut().unwrap();
    log.expect("the certificate is not reloaded, the old one stays: ");
    log.expect(&format!("{}: there is no certificate in it", identity.cert()));
    std::fs::write(&identity.cert, good).unwrap();
    let mut bob = identity.connect(&server, &[]);
    bob.write("bob_den\n");
    bob.stdout.expect("200\n");

    identity.renew();
    server.process().signal(Signal::HUP);
    let log = server.process().stderr.as_mut().unwrap();
    log.expect(&format!("reloaded: the certificate in {}", identity.cert()));
    let mut cid = identity.connect(&server, &[]);
    cid.write("cid_den\n");
    cid.stdout.expect("200\n");
    cid.write("hello\n");
    for client in [&mut ana, &mut bob, &mut cid] {
        client.stdout.expect("cid - hello\n");
    }
}

#[test]
fn files_that_can_not_be_used_are_named_with_what_to_do() {
    let (identity, other) = (Identity::new(), Identity::new());
    let fails = |arguments: &[&str]| {
        let output = output(&[&["serve", "--listen", "0"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let text = fails(&["--tls-cert", "/nonexistent/cert.pem", "--tls-key", identity.key()]);
    assert!(text.starts_with("error: /nonexistent/cert.pem: can't be read: No such file"), "{text}");
    assert!(text.contains("\nhint: "), "{text}");
    let text = fails(&["--tls-cert", identity.cert(), "--tls-key", other.key()]);
    let expected =
        format!("error: {}: this is not the key of the certificate in {}", other.key(), identity.cert());
    assert!(text.starts_with(&expected), "{text}");
    let text = fails(&["--tls-cert", identity.cert()]);
    let expected = format!(
        "error: tls.cert is {}, but there is no tls.key\n\
         hint: give tls.key too, or --tls-key; without both there is no TLS\n",
        identity.cert()
    );
    assert_eq!(text, expected);
}

#[test]
fn a_browser_gets_the_page_and_a_websocket_by_tls() {
    let identity = Identity::new();
    let server = Server::start(&["--tls-cert", identity.cert(), "--tls-key", identity.key()]);
    let browser = Browser::open(&format!("https://{}/", server.address()));
    let text = browser.text();
    assert!(text.contains(&format!("wss://{}/", server.address())), "{text}");
    let mut bob = Socket::connect("rooms", server.address());
    bob.send("bob_lobby\n");
    bob.expect("200\n");
    let browser = Browser::open(&empty_page());
    browser.join_at(&format!("wss://{}/", server.address()), "Eve");
    browser.say("CHAT_MESSAGE hello");
    bob.expect("Eve - hello\n");
}
