//! What connections are accepted with, and which clients are asked for a certificate of their own.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::server::ClientHello;
use rustls::sign::SingleCertAndKey;
use rustls::{Error, ServerConfig};

use super::client::AnyClient;
use super::files::{self, TlsError, TlsFiles};

/// What new connections are accepted with, if TLS is configured.
#[derive(Default)]
pub(crate) struct Acceptor(RwLock<Option<Arc<Identity>>>);

impl Acceptor {
    /// Reads certificate and key. Until it succeeds, and for connections that are there, nothing changes.
    pub(crate) fn load(&self, files: &TlsFiles) -> Result<(), TlsError> {
        let identity = files::load(files)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(identity));
        Ok(())
    }

    pub(crate) fn is_on(&self) -> bool {
        self.identity().is_some()
    }

    /// For a connection whose peer begins a handshake.
    pub(crate) fn identity(&self) -> Option<Arc<Identity>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Acceptor").field(&self.is_on()).finish()
    }
}

/// The server's certificate and how it is shown.
#[derive(Debug)]
pub(crate) struct Identity {
    /// For browsers: when they are asked for a certificate they bother people with a choice among all they have,
    /// or, before they open a WebSocket, give up.
    browsers: Arc<ServerConfig>,
    /// For everybody else: asks for the client's certificate.
    others: Arc<ServerConfig>,
}

impl Identity {
    pub(super) fn new(provider: Arc<CryptoProvider>, cert: Arc<SingleCertAndKey>) -> Result<Self, Error> {
        let any_client = Arc::new(AnyClient::new(&provider));
        let config =
            || ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
        Ok(Self {
            browsers: Arc::new(config()?.with_no_client_auth().with_cert_resolver(cert.clone())),
            others: Arc::new(config()?.with_client_cert_verifier(any_client).with_cert_resolver(cert)),
        })
    }

    /// How to answer the greeting with which `wire` begins; `None`: it isn't whole.
    pub(super) fn config_for(&self, wire: &[u8]) -> Option<&Arc<ServerConfig>> {
        let mut greeting = rustls::server::Acceptor::default();
        let mut rest = wire;
        while let Ok(1..) = greeting.read_tls(&mut rest) {
            match greeting.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) if is_browser(&accepted.client_hello()) => return Some(&self.browsers),
                // What is wrong with a bad greeting is told by whoever answers it.
                Ok(Some(_)) | Err(_) => return Some(&self.others),
            }
        }
        None
    }
}

/// Browsers say that they want HTTP, whatever for; clients of chat protocols don't.
fn is_browser(hello: &ClientHello<'_>) -> bool {
    hello.alpn().is_some_and(|mut names| names.any(|name| matches!(name, b"h2" | b"http/1.1")))
}
