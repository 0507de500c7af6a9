//! EXTERNAL (RFC 4422, appendix A): who the client is, the connection has shown, with its TLS certificate.

use super::{SaslError, utf8};

/// Reads the client's message: the account it wants to be, or `None` for the one its certificate names.
/// Whether the certificate may be that account is for the caller to say.
///
/// # Errors
/// [`SaslError::NotUtf8`], or [`SaslError::Malformed`] for a NUL.
pub fn parse(message: &[u8]) -> Result<Option<&str>, SaslError> {
    // initial-response = *( UTF8-char-no-nul )
    let authzid = utf8(message, "authorization identity")?;
    if authzid.contains('\0') {
        return Err(SaslError::Malformed { what: "authorization identity" });
    }
    Ok(Some(authzid).filter(|authzid| !authzid.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_none() {
        assert_eq!(parse(b""), Ok(None));
        assert_eq!(parse("zoë".as_bytes()), Ok(Some("zoë")));
        assert_eq!(parse(b"\0"), Err(SaslError::Malformed { what: "authorization identity" }));
        assert_eq!(parse(b"\xff"), Err(SaslError::NotUtf8 { what: "authorization identity" }));
    }
}
