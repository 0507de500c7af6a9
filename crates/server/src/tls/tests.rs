//! A server's TLS against rustls's own client, over sockets that take little.

use std::io::{ErrorKind, IoSlice, Read};

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion, version};

use super::writer::RECORD_TEXT_BYTES;
use super::*;

/// A certificate that vouches for itself, with its key.
pub(super) fn certificate() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

fn identity(made: &CertifiedKey<KeyPair>) -> Arc<Identity> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let key = provider.key_provider.load_private_key(key).unwrap();
    let certified = rustls::sign::CertifiedKey::new(vec![made.cert.der().clone()], key);
    Arc::new(Identity::new(provider, Arc::new(certified.into())).unwrap())
}

fn client_config(
    server: &CertifiedKey<KeyPair>,
    version: &'static SupportedProtocolVersion,
    own: Option<(Vec<CertificateDer<'static>>, &KeyPair)>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(server.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    let config = config.with_root_certificates(roots);
    Arc::new(match own {
        Some((chain, key)) => config
            .with_client_auth_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap(),
        None => config.with_no_client_auth(),
    })
}

/// The socket between the two: what the server wrote, of which it takes `take` bytes until somebody reads.
struct Wire {
    bytes: Vec<u8>,
    take: usize,
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.take - self.bytes.len());
        self.bytes.extend(&bytes[..len]);
        if len == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(len) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Pair {
    client: ClientConnection,
    tls: Tls,
    wire: Wire,
    scratch: Scratch,
    /// How much of what the client sends comes in one read.
    step: usize,
    /// What the server has read.
    text: Vec<u8>,
    /// What the client has read.
    heard: Vec<u8>,
}

impl Pair {
    fn new(server: Arc<Identity>, client: Arc<ClientConfig>, step: usize) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        Self {
            client: ClientConnection::new(client, name).unwrap(),
            tls: Tls::new(server),
            wire: Wire { bytes: Vec::new(), take: usize::MAX },
            scratch: Scratch::default(),
            step,
            text: Vec::new(),
            heard: Vec::new(),
        }
    }

    /// Lets bytes go both ways until nothing moves any more.
    fn settle(&mut self) -> Result<(), Error> {
        loop {
            let mut moved = false;
            let mut sent = Vec::new();
            while self.client.wants_write() {
                self.client.write_tls(&mut sent).unwrap();
            }
            let mut buffer = vec![0; 64 * 1024];
            for part in sent.chunks(self.step) {
                moved = true;
                let held = self.tls.put_back(&mut buffer);
                buffer[held..held + part.len()].copy_from_slice(part);
                self.tls.open(&mut buffer[..held + part.len()], &mut self.text)?;
            }
            let _ = self.tls.writer(&mut self.wire, &mut self.scratch).flush();
            let bytes = std::mem::take(&mut self.wire.bytes);
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                moved = true;
                self.client.read_tls(&mut rest).unwrap();
                self.client.process_new_packets()?;
                let _ = self.client.reader().read_to_end(&mut self.heard);
            }
            if !moved {
                return Ok(());
            }
        }
    }

    fn owns_nothing(&self) -> bool {
        self.tls.held.capacity() == 0 && self.tls.unsent.capacity() == 0
    }
}

#[test]
fn any_split_any_version_and_idle_it_owns_no_bytes() {
    let made = certificate();
    let server = identity(&made);
    for version in [&version::TLS12, &version::TLS13] {
        for step in [1, 2, 5, 100, 1400, 60_000] {
            let mut pair = Pair::new(server.clone(), client_config(&made, version, None), step);
            assert!(pair.tls.is_handshaking());
            pair.settle().unwrap();
            assert!(!pair.tls.is_handshaking() && pair.owns_nothing(), "{version:?} {step}");
            let long = vec![b'x'; 40_000];
            pair.client.writer().write_all(&long).unwrap();
            pair.settle().unwrap();
            assert_eq!(pair.text, long);
            assert!(pair.owns_nothing());
            assert_eq!(pair.tls.fingerprint(), None);
        }
    }
}

#[test]
fn what_is_written_arrives_whole_however_little_the_socket_takes() {
    let made = certificate();
    let server = identity(&made);
    let parts: Vec<Vec<u8>> =
        (0..60u8).map(|n| vec![n; 1 + usize::from(n) * 20]).chain([vec![7; 50_000]]).collect();
    let all = parts.concat();
    for (version, take) in [(&version::TLS13, 3000), (&version::TLS13, 100_000), (&version::TLS12, 17_001)] {
        let mut pair = Pair::new(server.clone(), client_config(&made, version, None), 1400);
        pair.settle().unwrap();
        pair.wire.take = take;
        let mut taken = 0;
        while taken < all.len() || pair.tls.unsent() > 0 {
            let mut rest = &all[taken..];
            let mut slices = Vec::new();
            for part in &parts {
                let (slice, later) = rest.split_at(part.len().min(rest.len()));
                slices.push(IoSlice::new(slice));
                rest = later;
            }
            slices.push(IoSlice::new(rest));
            match pair.tls.writer(&mut pair.wire, &mut pair.scratch).write_vectored(&slices) {
                Ok(len) => taken += len,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            // No more than one record is kept from a socket that takes no more.
            assert!(pair.tls.unsent() <= RECORD_TEXT_BYTES + OVERHEAD_BYTES);
            pair.settle().unwrap();
        }
        assert_eq!(pair.heard, all);
        assert!(pair.owns_nothing());
    }
}

#[test]
fn the_end_is_said_once_and_understood() {
    let made = certificate();
    let mut pair = Pair::new(identity(&made), client_config(&made, &version::TLS13, None), 1400);
    pair.settle().unwrap();
    assert!(pair.tls.say_goodbye());
    assert!(!pair.tls.say_goodbye());
    pair.settle().unwrap();
    let mut byte = [0];
    assert_eq!(pair.client.reader().read(&mut byte).unwrap(), 0, "an end, and not a cut line");
    // The other side may go on.
    pair.client.writer().write_all(b"bye").unwrap();
    pair.client.send_close_notify();
    pair.settle().unwrap();
    assert_eq!(pair.text, b"bye");
    assert!(pair.tls.is_peer_closed() && pair.owns_nothing());
}

#[test]
fn a_client_is_known_by_the_certificate_it_has_the_key_of() {
    let (made, own) = (certificate(), certificate());
    let server = identity(&made);
    let digest = ring::digest::digest(&ring::digest::SHA256, own.cert.der());
    for version in [&version::TLS12, &version::TLS13] {
        let chain = vec![own.cert.der().clone()];
        let mut pair =
            Pair::new(server.clone(), client_config(&made, version, Some((chain, &own.signing_key))), 100);
        pair.settle().unwrap();
        assert_eq!(pair.tls.fingerprint().unwrap(), digest.as_ref());
    }
}

#[test]
fn a_browser_is_not_asked_for_a_certificate() {
    let (made, own) = (certificate(), certificate());
    let chain = vec![own.cert.der().clone()];
    for (offered, asked) in [(&["h2", "http/1.1"][..], false), (&["http/1.1"], false), (&["irc"], true)] {
        let client = client_config(&made, &version::TLS13, Some((chain.clone(), &own.signing_key)));
        let mut client = Arc::unwrap_or_clone(client);
        client.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let mut pair = Pair::new(identity(&made), Arc::new(client), 100);
        pair.settle().unwrap();
        assert!(!pair.tls.is_handshaking());
        assert_eq!(pair.tls.fingerprint().is_some(), asked, "{offered:?}");
    }
}

#[test]
fn a_chain_of_certificates_may_be_long_but_not_endless() {
    let (made, own) = (certificate(), certificate());
    let server = identity(&made);
    for (certificates, fits) in [(40, true), (200, false)] {
        let chain = vec![own.cert.der().clone(); certificates];
        let client = client_config(&made, &version::TLS13, Some((chain, &own.signing_key)));
        let mut pair = Pair::new(server.clone(), client, 1400);
        assert_eq!(pair.settle().is_ok(), fits, "{certificates}");
        assert!(pair.tls.held.len() <= HELD_BYTES_MAX);
    }
}

#[test]
fn rubbish_is_answered_by_an_alert_and_ends_it() {
    let made = certificate();
    let mut tls = Tls::new(identity(&made));
    let mut rubbish = *b"\x16\x03\x01\x00\x05\x02\x00\x00\x01? and more";
    assert!(tls.open(&mut rubbish, &mut Vec::new()).is_err());
    assert_eq!(&tls.unsent[..3], b"\x15\x03\x03", "an alert");
    assert!(!tls.say_goodbye());
    let mut text = Vec::new();
    tls.open(&mut rubbish, &mut text).unwrap();
    assert!(text.is_empty(), "nothing counts any more");
}
