//! What a peer's bytes can have wrong with them.

use std::borrow::Cow;

/// Why bytes are not a frame. Says which rule was broken and the value that broke it; how a dialect answers
/// is the gateway's matter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// More bytes than the limit before the frame was complete.
    #[error("{what} is longer than {limit} bytes")]
    TooLong {
        /// The part of the frame, in the specification's words.
        what: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// Bytes that are not UTF-8 where the protocol has text.
    #[error("{what} is not UTF-8")]
    NotUtf8 {
        /// The part of the frame.
        what: &'static str,
    },
    /// The frame as a whole or a part of it doesn't have the form the protocol gives it.
    #[error("malformed {what}: {value:?}")]
    Malformed {
        /// The part of the frame.
        what: &'static str,
        /// What was there instead, shortened by [`ProtocolError::malformed`].
        value: String,
    },
    /// A part that the protocol demands isn't there.
    #[error("missing {what}")]
    Missing {
        /// The missing part.
        what: &'static str,
    },
    /// A verb, command or type that the protocol doesn't have.
    #[error("unknown {what}: {value:?}")]
    Unknown {
        /// Verb, command or type.
        what: &'static str,
        /// What was there, shortened by [`ProtocolError::unknown`].
        value: String,
    },
    /// A frame that is well formed but not allowed now.
    #[error("{what} is not allowed {when}")]
    OutOfPlace {
        /// The frame's verb, command or type.
        what: &'static str,
        /// The state, as in "before login".
        when: &'static str,
    },
    /// The bytes ended inside a frame.
    #[error("the connection ended inside {what}")]
    Truncated {
        /// The frame or its part.
        what: &'static str,
    },
    /// As the error inside, after which nothing that follows can be understood.
    #[error("{0}")]
    Fatal(Box<ProtocolError>),
}

/// How much of a peer's value an error quotes, in characters.
const QUOTED_CHARS_MAX: usize = 40;

impl ProtocolError {
    /// A [`ProtocolError::Malformed`] that quotes at most 40 characters of `value`.
    #[must_use]
    pub fn malformed(what: &'static str, value: &[u8]) -> Self {
        Self::Malformed { what, value: quote(value).into_owned() }
    }

    /// A [`ProtocolError::Unknown`] that quotes at most 40 characters of `value`.
    #[must_use]
    pub fn unknown(what: &'static str, value: &[u8]) -> Self {
        Self::Unknown { what, value: quote(value).into_owned() }
    }

    /// The same error, marked as one that ends the stream: framing is lost and stays lost.
    #[must_use]
    pub fn fatal(self) -> Self {
        match self {
            Self::Fatal(_) => self,
            other => Self::Fatal(Box::new(other)),
        }
    }

    /// Whether nothing after these bytes can be understood, so that the connection has to end.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Fatal(_) | Self::TooLong { .. } | Self::Truncated { .. })
    }
}

fn quote(value: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(value);
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_short_and_whole_characters() {
        let error = ProtocolError::malformed("header", "é".repeat(100).as_bytes());
        assert_eq!(error.to_string(), format!("malformed header: \"{}…\"", "é".repeat(40)));
    }

    #[test]
    fn fatal_wraps_once_and_reads_the_same() {
        let error = ProtocolError::Missing { what: "Content-length" };
        assert!(!error.is_fatal());
        let fatal = error.clone().fatal().fatal();
        assert!(fatal.is_fatal());
        assert_eq!(fatal.to_string(), error.to_string());
        assert_eq!(fatal, error.fatal());
    }
}
