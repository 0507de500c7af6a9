//! Why an authentication failed, and how SCRAM spells it.

/// Why a message doesn't authenticate anybody. None of them quotes what the peer sent: it may be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SaslError {
    /// The client gave up (`AUTHENTICATE *`).
    #[error("authentication aborted")]
    Aborted,
    /// More than the limit.
    #[error("{what} is longer than {limit} bytes")]
    TooLong {
        /// The part that is too long.
        what: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// Something else where base64 has to be, its padding included (RFC 4648, 4).
    #[error("{what} is not base64")]
    NotBase64 {
        /// The part.
        what: &'static str,
    },
    /// Bytes that are not UTF-8.
    #[error("{what} is not UTF-8")]
    NotUtf8 {
        /// The part.
        what: &'static str,
    },
    /// Not what the mechanism's grammar says.
    #[error("malformed {what}")]
    Malformed {
        /// The message or its part.
        what: &'static str,
    },
    /// Nothing where a name or a password has to be.
    #[error("the {what} is empty")]
    Empty {
        /// The part.
        what: &'static str,
    },
    /// A SCRAM name with `=` that begins neither `=2C` nor `=3D` (RFC 5802, 5.1, attribute "n").
    #[error("malformed escape in the user name")]
    UserName,
    /// The client wants to act as another account than the one it proves to be.
    #[error("acting for another account is not allowed")]
    NotAllowed,
    /// The client demands channel binding, which we never offered.
    #[error("channel binding is not supported")]
    ChannelBinding,
    /// `c=` doesn't repeat the header that the client began with.
    #[error("the channel binding is not the one of the first message")]
    ChannelBindingDiffers,
    /// A mandatory extension (`m=`): whoever doesn't know it has to fail (RFC 5802, 5.1).
    #[error("an extension that is not supported")]
    Extension,
    /// The peer's nonce isn't the one it has to be.
    #[error("wrong nonce")]
    Nonce,
    /// The client doesn't know the password, or there is no such account: nobody can tell which.
    #[error("wrong proof")]
    Proof,
    /// Client side: the server doesn't know the password.
    #[error("wrong signature of the server")]
    ServerSignature,
    /// Client side: so few rounds that the password is at risk, or so many that they are an attack.
    #[error("{count} iterations are not acceptable")]
    Iterations {
        /// What the server asked for.
        count: u32,
    },
    /// Client side: the server said no.
    #[error("refused by the server: {0}")]
    Refused(ServerError),
}

impl SaslError {
    /// The value of `e=` that tells a SCRAM client. Never [`ServerError::UnknownUser`].
    #[must_use]
    pub fn server_error(self) -> ServerError {
        match self {
            Self::NotBase64 { .. } | Self::NotUtf8 { .. } => ServerError::InvalidEncoding,
            Self::Extension => ServerError::ExtensionsNotSupported,
            Self::Proof => ServerError::InvalidProof,
            Self::ChannelBindingDiffers => ServerError::ChannelBindingsDontMatch,
            Self::ChannelBinding => ServerError::ChannelBindingNotSupported,
            Self::UserName => ServerError::InvalidUsernameEncoding,
            Self::Refused(error) => error,
            Self::Aborted
            | Self::TooLong { .. }
            | Self::Malformed { .. }
            | Self::Empty { .. }
            | Self::NotAllowed
            | Self::Nonce
            | Self::ServerSignature
            | Self::Iterations { .. } => ServerError::Other,
        }
    }
}

/// The values of `e=` in a server-final-message (RFC 5802, 7, server-error-value).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// Not UTF-8, or not base64 where it has to be.
    #[error("invalid-encoding")]
    InvalidEncoding,
    /// A mandatory extension.
    #[error("extensions-not-supported")]
    ExtensionsNotSupported,
    /// Wrong password.
    #[error("invalid-proof")]
    InvalidProof,
    /// `c=` differs from what the server has.
    #[error("channel-bindings-dont-match")]
    ChannelBindingsDontMatch,
    /// The client thought that we can't, but we can.
    #[error("server-does-support-channel-binding")]
    ServerDoesSupportChannelBinding,
    /// The client demands it and we can't.
    #[error("channel-binding-not-supported")]
    ChannelBindingNotSupported,
    /// The client demands a kind that we don't have.
    #[error("unsupported-channel-binding-type")]
    UnsupportedChannelBindingType,
    /// No such account. Saying it tells strangers which accounts there are.
    #[error("unknown-user")]
    UnknownUser,
    /// The name has a wrong escape or can't be prepared.
    #[error("invalid-username-encoding")]
    InvalidUsernameEncoding,
    /// The server can't now.
    #[error("no-resources")]
    NoResources,
    /// Anything else, and what a client makes of a value it doesn't know.
    #[error("other-error")]
    Other,
}

impl ServerError {
    const ALL: [Self; 11] = [
        Self::InvalidEncoding,
        Self::ExtensionsNotSupported,
        Self::InvalidProof,
        Self::ChannelBindingsDontMatch,
        Self::ServerDoesSupportChannelBinding,
        Self::ChannelBindingNotSupported,
        Self::UnsupportedChannelBindingType,
        Self::UnknownUser,
        Self::InvalidUsernameEncoding,
        Self::NoResources,
        Self::Other,
    ];

    /// Reads a value. "Unrecognized errors should be treated as 'other-error'" (RFC 5802, 7).
    #[must_use]
    pub fn parse(value: &str) -> Self {
        Self::ALL.into_iter().find(|error| error.to_string() == value).unwrap_or(Self::Other)
    }

    /// The server-final-message that says it: `e=invalid-proof`. IRC servers may go straight to numeric 904.
    #[must_use]
    pub fn message(self) -> Vec<u8> {
        format!("e={self}").into_bytes()
    }
}
