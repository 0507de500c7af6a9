//! TLS on the same ports: every protocol, the page, WebSocket; certificates that change; peers that misbehave.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hub::Dialect;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use server::TlsFiles;
use tungstenite::Message;

use crate::detection::GREETINGS;
use crate::fixture::{Fixture, PATIENCE, header};
use crate::slow_reader::narrow;

/// A certificate in files, removed when the test is over.
struct Identity {
    made: CertifiedKey<KeyPair>,
    files: TlsFiles,
}

impl Identity {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("tls-{}-{number}", std::process::id());
        let file = |end: &str| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{end}.pem"));
        let files = TlsFiles { cert: file("cert"), key: file("key") };
        let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let identity = Self { made, files };
        identity.write();
        identity
    }

    fn write(&self) {
        std::fs::write(&self.files.cert, self.made.cert.pem()).unwrap();
        std::fs::write(&self.files.key, self.made.signing_key.serialize_pem()).unwrap();
    }

    fn server(&self) -> Fixture {
        self.pinned(None)
    }

    fn pinned(&self, dialect: Option<Dialect>) -> Fixture {
        Fixture::pinned(dialect, |config| config.tls = Some(self.files.clone()))
    }

    fn client(&self) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        roots.add(self.made.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
        ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
    }

    fn connect(&self, server: &Fixture) -> TlsPeer {
        self.connect_on(TcpStream::connect(server.addr).unwrap())
    }

    fn connect_on(&self, stream: TcpStream) -> TlsPeer {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        TlsPeer(StreamOwned::new(self.client(), stream))
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.files.cert);
        let _ = std::fs::remove_file(&self.files.key);
    }
}

/// A connection that says and expects exact bytes, by TLS.
struct TlsPeer(StreamOwned<ClientConnection, TcpStream>);

impl TlsPeer {
    fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
        self.0.flush().unwrap();
    }

    #[track_caller]
    fn expect(&mut self, expected: &str) {
        let mut got = vec![0; expected.len()];
        let result = self.0.read_exact(&mut got);
        assert!(
            result.is_ok() && got == expected.as_bytes(),
            "expected {expected:?}, got {:?}: {result:?}",
            String::from_utf8_lossy(&got)
        );
    }

    /// Reads until the server says that nothing more will come. A cut line is an error.
    #[track_caller]
    fn rest(&mut self) -> String {
        let mut got = String::new();
        self.0.read_to_string(&mut got).unwrap();
        got
    }

    fn certificate(&self) -> CertificateDer<'static> {
        self.0.conn.peer_certificates().unwrap()[0].clone().into_owned()
    }
}

#[test]
fn every_protocol_is_told_apart_inside() {
    let identity = Identity::new();
    let server = identity.server();
    for (greeting, answer) in GREETINGS {
        let mut peer = identity.connect(&server);
        peer.send(greeting);
        peer.expect(answer);
        drop(peer);
        // Each byte in a record of its own.
        let mut peer = identity.connect(&server);
        for byte in greeting.chars() {
            peer.send(&byte.to_string());
        }
        peer.expect(answer);
    }
}

#[test]
fn the_handshake_may_come_one_byte_at_a_time() {
    let identity = Identity::new();
    for dialect in [None, Some(Dialect::Rooms)] {
        let server = identity.pinned(dialect);
        let mut stream = TcpStream::connect(server.addr).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = identity.client();
        let mut hello = Vec::new();
        client.write_tls(&mut hello).unwrap();
        for byte in hello {
            stream.write_all(&[byte]).unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut peer = TlsPeer(StreamOwned::new(client, stream));
        peer.send("ana_den\n");
        peer.expect("200\n");
    }
}

#[test]
fn people_with_and_without_tls_are_in_one_room() {
    let identity = Identity::new();
    let server = identity.server();
    let mut ana = server.rooms("ana", "den");
    let mut bob = identity.connect(&server);
    bob.send("bob_den\nhello");
    bob.send(" there\n");
    bob.expect("200\nbob - hello there\n");
    ana.expect("bob - hello there\n");
    let long = "x".repeat(3000);
    for _ in 0..20 {
        ana.send(&format!("{long}\n"));
    }
    for _ in 0..20 {
        // Long texts come in pieces to such clients; each has the name in front.
        let mut left = long.len();
        while left > 0 {
            bob.expect("ana - ");
            let mut byte = [0];
            loop {
                bob.0.read_exact(&mut byte).unwrap();
                match byte[0] {
                    b'x' => left -= 1,
                    b'\n' => break,
                    other => panic!("{other}"),
                }
            }
        }
    }
}

#[test]
fn irc_clients_are_told_where_tls_is() {
    let identity = Identity::new();
    let server = Fixture::with(|config| {
        config.tls = Some(identity.files.clone());
        config.settings.irc_sts = Some(gateway::Sts { port: 0, duration_s: 600 });
    });
    let mut plain = server.connect();
    plain.send("CAP LS 302\r\n");
    let offered = plain.read_until("\r\n");
    assert!(offered.contains(&format!("sts=port={}", server.addr.port())), "{offered}");
    let mut peer = identity.connect(&server);
    peer.send("CAP LS 302\r\nQUIT\r\n");
    let offered = peer.rest();
    assert!(offered.contains("sts=duration=600") && !offered.contains("port="), "{offered}");
}

#[test]
fn a_port_for_one_protocol_takes_it_with_and_without_tls() {
    let identity = Identity::new();
    let server = identity.pinned(Some(Dialect::Rooms));
    let mut plain = server.connect();
    plain.send("{_den\n");
    plain.expect("200\n");
    let mut peer = identity.connect(&server);
    peer.send("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(peer.rest(), "400\n", "no detection there");
    let mut odd = server.connect();
    odd.send("\u{16}");
    odd.finish();
    assert_eq!(odd.rest(), b"400");
}

#[test]
fn the_page_comes_by_https_and_names_websockets_by_tls() {
    let identity = Identity::new();
    let server = identity.server();
    let mut peer = identity.connect(&server);
    for _ in 0..3 {
        peer.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        peer.expect("HTTP/1.1 200 OK\r\n");
        let mut answer = Vec::new();
        while !answer.ends_with(b"ok\n") {
            let mut byte = [0];
            peer.0.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
    }
    peer.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let page = peer.rest();
    assert!(page.contains(&format!("wss://localhost:{}/", server.addr.port())), "{page}");
    // The service says goodbye and gives the place back.
    server.until("it is gone", |server| server.metric("polylogue_connections{") == 0);
}

#[test]
fn a_websocket_by_tls_meets_the_others() {
    let identity = Identity::new();
    let server = identity.server();
    let mut ana = server.rooms("ana", "lobby");
    let stream = identity.connect(&server).0;
    let (mut socket, _) = tungstenite::client("wss://localhost/", stream).unwrap();
    assert_eq!(socket.read().unwrap().into_text().unwrap(), header("STATE_UPG_1", ""));
    socket.send(Message::text(header("SET_USR", "Zoe"))).unwrap();
    assert_eq!(socket.read().unwrap().into_text().unwrap(), header("STATE_UPG_2", "Zoe"));
    socket.send(Message::text(format!("{}CHAT_MESSAGE hi", header("CHAT_MSSG", "Zoe")))).unwrap();
    ana.expect("Zoe - hi\n");
    socket.close(None).unwrap();
    while let Ok(message) = socket.read() {
        assert!(!matches!(message, Message::Binary(_)));
    }
    server.until("it is gone", |server| server.metric("polylogue_connections{") == 1);
}

#[test]
fn a_new_certificate_is_for_those_who_come_after_it() {
    let (mut identity, new) = (Identity::new(), Identity::new());
    let server = identity.server();
    let mut ana = identity.connect(&server);
    ana.send("ana_den\n");
    ana.expect("200\n");
    assert_eq!(ana.certificate(), *identity.made.cert.der());

    std::fs::write(&identity.files.cert, "rubbish").unwrap();
    let error = server.handle.reload_tls(&identity.files).unwrap_err().to_string();
    assert!(error.starts_with(&identity.files.cert.display().to_string()), "{error}");
    let mut before = identity.connect(&server);
    before.send("eve_den\n");
    before.expect("200\n");
    assert_eq!(before.certificate(), *identity.made.cert.der());
    drop(before);

    identity.made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    identity.write();
    server.handle.reload_tls(&identity.files).unwrap();
    let mut bob = identity.connect(&server);
    bob.send("bob_den\n");
    bob.expect("200\n");
    assert_eq!(bob.certificate(), *identity.made.cert.der());
    // Other files will do too.
    server.handle.reload_tls(&new.files).unwrap();
    let mut cid = new.connect(&server);
    cid.send("cid_den\n");
    cid.expect("200\n");
    ana.send("still here\n");
    for peer in [&mut ana, &mut bob, &mut cid] {
        peer.expect("ana - still here\n");
    }
}

#[test]
fn everybody_is_told_goodbye_and_that_it_was_the_end() {
    let identity = Identity::new();
    let mut server = identity.server();
    let mut ana = identity.connect(&server);
    ana.send("ana_den\n");
    ana.expect("200\n");
    let mut silent = identity.connect(&server);
    while silent.0.conn.is_handshaking() {
        silent.0.conn.complete_io(&mut silent.0.sock).unwrap();
    }
    server.end();
    assert_eq!(ana.rest(), "/exit\n");
    assert_eq!(silent.rest(), "");
}

#[test]
fn a_client_that_ends_its_side_still_gets_its_answer() {
    let identity = Identity::new();
    let server = identity.server();
    let mut peer = identity.connect(&server);
    peer.send("ana_den\nlast words");
    peer.0.conn.send_close_notify();
    peer.0.flush().unwrap();
    assert_eq!(peer.rest(), "200\nana - last words\n");
}

#[test]
fn a_handshake_has_as_long_as_a_login() {
    let identity = Identity::new();
    let server = Fixture::with(|config| {
        config.tls = Some(identity.files.clone());
        config.settings.login = Duration::from_millis(200);
    });
    let mut half = server.connect();
    half.send("\u{16}\u{3}\u{1}");
    assert_eq!(half.rest(), b"");
    assert_eq!(server.metric("polylogue_closes_total{dialect=\"undecided\",reason=\"login_timeout\"}"), 1);
    // After it, whoever connects before asking the user anything has time.
    let mut patient = identity.connect(&server);
    while patient.0.conn.is_handshaking() {
        patient.0.conn.complete_io(&mut patient.0.sock).unwrap();
    }
    std::thread::sleep(Duration::from_millis(500));
    patient.send("ana_den\n");
    patient.expect("200\n");
}

#[test]
fn without_a_certificate_tls_is_hung_up_on() {
    let server = Fixture::start();
    let mut peer = server.connect();
    peer.send("\u{16}\u{3}\u{1}\0\u{5}hello");
    assert_eq!(peer.rest(), b"");
    assert_eq!(server.metric("polylogue_closes_total{dialect=\"undecided\",reason=\"tls\"}"), 1);
}

#[test]
fn tls_inside_tls_and_rubbish_end_themselves_alone() {
    let identity = Identity::new();
    let server = identity.server();
    let mut ana = identity.connect(&server);
    ana.send("ana_den\n");
    ana.expect("200\n");
    let mut nested = identity.connect(&server);
    nested.send("\u{16}\u{3}\u{1}");
    assert_eq!(nested.rest(), "");
    let mut peer = server.connect();
    peer.send("\u{16}\u{3}\u{1}\0\u{5}\u{2}\0\0\u{1}?");
    assert_eq!(&peer.rest()[..2], b"\x15\x03", "an alert");
    // Rubbish in the middle of a session: the record's tag is wrong.
    let mut bob = identity.connect(&server);
    bob.send("bob_den\n");
    bob.expect("200\n");
    bob.0.sock.write_all(b"\x17\x03\x03\0\x20aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa").unwrap();
    let error = bob.0.read(&mut [0; 99]).unwrap_err();
    assert!(error.to_string().contains("BadRecordMac"), "{error}");
    assert_eq!(server.metric("polylogue_closes_total{dialect=\"undecided\",reason=\"tls\"}"), 2);
    ana.send("quiet here\n");
    ana.expect("ana - quiet here\n");
    drop((nested, peer, bob));
    server.until("the others are gone", |server| server.metric("polylogue_connections{") == 1);
}

#[test]
fn a_member_that_stops_reading_is_closed_at_the_same_bound() {
    let identity = Identity::new();
    let server = Fixture::with(|config| {
        config.tls = Some(identity.files.clone());
        config.limits.queue_bytes_max = 64 * 1024;
    });
    let mut sleeper = identity.connect_on(narrow(server.addr).stream().try_clone().unwrap());
    sleeper.send("sleeper_den\n");
    sleeper.expect("200\n");
    let mut ana = server.rooms("ana", "den");
    let text = "x".repeat(900);
    server.until("the sleeper is closed", |server| {
        for _ in 0..50 {
            ana.send(&format!("{text}\n"));
            ana.expect(&format!("ana - {text}\n"));
        }
        assert!(server.metric("polylogue_queued_bytes ") < 64 * 1024);
        server.metric("polylogue_closes_total{dialect=\"rooms\",reason=\"slow_reader\"}") == 1
    });
    server.until("nothing waits", |server| server.metric("polylogue_queued_bytes ") == 0);
}

#[test]
fn a_line_that_is_cut_is_the_end_of_one_member() {
    let identity = Identity::new();
    let server = identity.server();
    let mut ana = identity.connect(&server);
    ana.send("ana_den\n");
    ana.expect("200\n");
    let TlsPeer(StreamOwned { sock, .. }) = ana;
    drop(sock);
    server.until("it is gone", |server| server.metric("polylogue_connections{") == 0);
    let mut plain = server.connect();
    plain.send("ana_den\n");
    plain.expect("200\n");
}
