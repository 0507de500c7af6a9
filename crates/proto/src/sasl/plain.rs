//! PLAIN (RFC 4616): the password in clear, so offer it over TLS only.

use super::{Password, SaslError, utf8};

const MESSAGE: &str = "PLAIN message";

/// `message = [authzid] NUL authcid NUL passwd` (RFC 4616, 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain<'a> {
    /// The account to act as: nothing, or the same as `authcid`.
    pub authzid: &'a str,
    /// The account whose password this is. Not empty, otherwise as the client wrote it.
    pub authcid: &'a str,
    /// Not empty. As the client sent it: no preparation of any kind.
    pub password: Password,
}

impl<'a> Plain<'a> {
    /// Takes a client's message apart.
    ///
    /// # Errors
    /// Not the form above, not UTF-8, a name or password that is empty, or [`SaslError::NotAllowed`] if
    /// `authzid` isn't `authcid`, letter for letter.
    pub fn parse(message: &'a [u8]) -> Result<Self, SaslError> {
        let mut parts = message.split(|byte| *byte == 0);
        let (Some(authzid), Some(authcid), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SaslError::Malformed { what: MESSAGE });
        };
        let authzid = utf8(authzid, "authorization identity")?;
        let authcid = utf8(authcid, "user name")?;
        let password = utf8(password, "password")?;
        if authcid.is_empty() {
            return Err(SaslError::Empty { what: "user name" });
        }
        if password.is_empty() {
            return Err(SaslError::Empty { what: "password" });
        }
        if !authzid.is_empty() && authzid != authcid {
            return Err(SaslError::NotAllowed);
        }
        Ok(Self { authzid, authcid, password: Password::new(password) })
    }

    /// The client's side: the message that logs in.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        [self.authzid, self.authcid, self.password.reveal()].join("\0").into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc() {
        let tim = Plain::parse(b"\0tim\0tanstaaftanstaaf").unwrap();
        assert_eq!((tim.authzid, tim.authcid, tim.password.reveal()), ("", "tim", "tanstaaftanstaaf"));
        assert_eq!(Plain::parse(b"Ursel\0Kurt\0xipj3plmq"), Err(SaslError::NotAllowed));
    }

    #[test]
    fn acting_as_oneself_is_allowed() {
        let plain = Plain::parse("zoë\0zoë\0geheim, =2C \u{1f980}".as_bytes()).unwrap();
        assert_eq!((plain.authzid, plain.authcid), ("zoë", "zoë"));
        assert_eq!(plain.password.reveal(), "geheim, =2C \u{1f980}");
        assert_eq!(plain.message(), "zoë\0zoë\0geheim, =2C \u{1f980}".as_bytes());
        assert_eq!(Plain::parse(b"Bob\0bob\0x"), Err(SaslError::NotAllowed));
    }

    #[test]
    fn what_is_refused() {
        let malformed = Err(SaslError::Malformed { what: MESSAGE });
        for message in [b"".as_slice(), b"bob", b"bob\0x", b"\0bob\0x\0", b"\0bob\0x\0y", b"\0\0\0\0"] {
            assert_eq!(Plain::parse(message), malformed, "{message:?}");
        }
        assert_eq!(Plain::parse(b"\0\0x"), Err(SaslError::Empty { what: "user name" }));
        assert_eq!(Plain::parse(b"bob\0\0x"), Err(SaslError::Empty { what: "user name" }));
        assert_eq!(Plain::parse(b"\0bob\0"), Err(SaslError::Empty { what: "password" }));
        assert_eq!(Plain::parse(b"\xff\0bob\0x"), Err(SaslError::NotUtf8 { what: "authorization identity" }));
        assert_eq!(Plain::parse(b"\0\xff\0x"), Err(SaslError::NotUtf8 { what: "user name" }));
        assert_eq!(Plain::parse(b"\0bob\0\xff"), Err(SaslError::NotUtf8 { what: "password" }));
    }

    #[test]
    fn debug_shows_no_password() {
        let shown = format!("{:?}", Plain::parse(b"\0bob\0secret").unwrap());
        assert!(shown.contains("bob") && !shown.contains("secret"), "{shown}");
    }
}
