//! From a certificate and a key in files to what connections are accepted with.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys};

use super::identity::Identity;

/// Where the server's certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: the server's own certificate, then those that lead from it to one that clients know.
    pub cert: PathBuf,
    /// PEM: the private key of the first of them.
    pub key: PathBuf,
}

/// Why a certificate and a key can't be used. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It isn't there, or this process may not read it.
    #[error("{}: can't be read: {error}", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// What stands in it isn't PEM as it should be.
    #[error("{}: no proper PEM: {error}", file.display())]
    NotPem {
        /// Which.
        file: PathBuf,
        /// What is wrong.
        error: pem::Error,
    },
    /// No certificate stands in it.
    #[error("{}: there is no certificate in it", file.display())]
    NoCertificate {
        /// Which.
        file: PathBuf,
    },
    /// No private key stands in it.
    #[error("{}: there is no private key in it", file.display())]
    NoKey {
        /// Which.
        file: PathBuf,
    },
    /// Its key is locked with a passphrase.
    #[error("{}: the private key is encrypted", file.display())]
    EncryptedKey {
        /// Which.
        file: PathBuf,
    },
    /// The certificate or the key is damaged, or of a kind that isn't known here.
    #[error("{}: can't be used: {error}", file.display())]
    Unusable {
        /// Which.
        file: PathBuf,
        /// Why not.
        error: Error,
    },
    /// They don't belong together.
    #[error("{}: this is not the key of the certificate in {}", key.display(), cert.display())]
    Mismatch {
        /// The certificate.
        cert: PathBuf,
        /// The other key.
        key: PathBuf,
    },
}

impl TlsError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "give the path of a file that this user may read; it counts from the directory in which the \
                 server is started"
            }
            Self::NotPem { .. } => "get the file anew; PEM is text with -----BEGIN and -----END lines",
            Self::NoCertificate { .. } => {
                "it takes PEM, with -----BEGIN CERTIFICATE-----, your server's first (fullchain.pem of an ACME \
                 client); `openssl x509 -inform der -in FILE` turns DER into it"
            }
            Self::NoKey { .. } => {
                "it takes PEM, with -----BEGIN PRIVATE KEY----- (privkey.pem of an ACME client); \
                 `openssl pkey -inform der -in FILE` turns DER into it"
            }
            Self::EncryptedKey { .. } => {
                "nobody is there to type a passphrase: `openssl pkey -in FILE` removes it"
            }
            Self::Unusable { .. } => {
                "keys may be RSA of 2048 bits or more, ECDSA with P-256 or P-384, or Ed25519"
            }
            Self::Mismatch { .. } => {
                "the first certificate of the chain has to be the server's own; `openssl x509 -pubkey -noout` and \
                 `openssl pkey -pubout` print the same for two that belong together"
            }
        }
    }
}

/// Reads both files.
pub(super) fn load(files: &TlsFiles) -> Result<Identity, TlsError> {
    let chain = chain(&files.cert)?;
    let key = key(&files.key)?;
    let provider = Arc::new(default_provider());
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| TlsError::Unusable { file: files.key.clone(), error })?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        // Unknown: a key that doesn't tell its public half. The handshake will.
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
        Err(Error::InconsistentKeys(_)) => {
            return Err(TlsError::Mismatch { cert: files.cert.clone(), key: files.key.clone() });
        }
        Err(error) => return Err(TlsError::Unusable { file: files.cert.clone(), error }),
    }
    Identity::new(provider, Arc::new(SingleCertAndKey::from(certified)))
        .map_err(|error| TlsError::Unusable { file: files.cert.clone(), error })
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(file)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|error| TlsError::NotPem { file: file.to_owned(), error })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { file: file.to_owned() });
    }
    Ok(chain)
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(file)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let file = file.to_owned();
        match error {
            pem::Error::NoItemsFound if contains(&text, b"BEGIN ENCRYPTED PRIVATE KEY") => {
                TlsError::EncryptedKey { file }
            }
            pem::Error::NoItemsFound => TlsError::NoKey { file },
            error => TlsError::NotPem { file, error },
        }
    })
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(file).map_err(|error| TlsError::Unreadable { file: file.to_owned(), error })
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::tls::tests::certificate;

    /// Files in a directory of the test's own, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("polylogue-tls-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
            let file = self.0.join(name);
            fs::write(&file, text).unwrap();
            file
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_wrong_names_the_file_and_what_to_do() {
        let folder = Folder::new("errors");
        let (one, other) = (certificate(), certificate());
        let cert = folder.write("cert.pem", one.cert.pem());
        let key = folder.write("key.pem", one.signing_key.serialize_pem());
        let der = folder.write("cert.der", one.cert.der());
        let foreign = folder.write("foreign.pem", other.signing_key.serialize_pem());
        let locked = folder.write(
            "locked.pem",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAAw\n-----END ENCRYPTED PRIVATE KEY-----\n",
        );
        let cut = folder.write("cut.pem", one.cert.pem().replace("-----END", ""));
        let odd = folder.write("odd.pem", "-----BEGIN CERTIFICATE-----\nMAAw\n-----END CERTIFICATE-----\n");
        let broken =
            folder.write("broken.pem", "-----BEGIN PRIVATE KEY-----\nMAAw\n-----END PRIVATE KEY-----\n");
        let missing = folder.0.join("missing.pem");
        assert!(load(&TlsFiles { cert: cert.clone(), key: key.clone() }).is_ok());
        for (cert, key, file, reason) in [
            (&missing, &key, &missing, "can't be read: No such file"),
            (&cert, &missing, &missing, "can't be read: No such file"),
            (&key, &key, &key, "there is no certificate in it"),
            (&der, &key, &der, "there is no certificate in it"),
            (&cut, &key, &cut, "no proper PEM: "),
            (&odd, &key, &odd, "can't be used: "),
            (&cert, &cert, &cert, "there is no private key in it"),
            (&cert, &locked, &locked, "the private key is encrypted"),
            (&cert, &broken, &broken, "can't be used: "),
            (&cert, &foreign, &foreign, "this is not the key of the certificate in "),
        ] {
            let error = load(&TlsFiles { cert: cert.clone(), key: key.clone() }).unwrap_err();
            let expected = format!("{}: {reason}", file.display());
            assert!(error.to_string().starts_with(&expected), "{error}, not {expected}");
            assert!(!error.hint().is_empty());
        }
    }

    #[test]
    fn both_may_stand_in_one_file() {
        let folder = Folder::new("one-file");
        let made = certificate();
        let both = folder.write("both.pem", made.signing_key.serialize_pem() + &made.cert.pem());
        assert!(load(&TlsFiles { cert: both.clone(), key: both }).is_ok());
    }
}
