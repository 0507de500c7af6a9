//! Capabilities: what a client can ask to be told, and how (IRCv3 capability negotiation).

use hub::{Form, METADATA_KEYS_MAX, METADATA_VALUE_BYTES_MAX, METADATA_WANTED_MAX};

use crate::Settings;

bitflags::bitflags! {
    /// The capabilities that a client has asked for.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub(super) struct Caps: u32 {
        const SERVER_TIME = 1;
        const MESSAGE_TAGS = 1 << 1;
        const ACCOUNT_TAG = 1 << 2;
        const BATCH = 1 << 3;
        const MULTILINE = 1 << 4;
        const EXTENDED_JOIN = 1 << 5;
        const AWAY_NOTIFY = 1 << 6;
        const ACCOUNT_NOTIFY = 1 << 7;
        const CAP_NOTIFY = 1 << 8;
        const CHGHOST = 1 << 9;
        const ECHO_MESSAGE = 1 << 10;
        const EXTENDED_MONITOR = 1 << 11;
        const INVITE_NOTIFY = 1 << 12;
        const LABELED_RESPONSE = 1 << 13;
        const MULTI_PREFIX = 1 << 14;
        const SETNAME = 1 << 15;
        const USERHOST_IN_NAMES = 1 << 16;
        const STANDARD_REPLIES = 1 << 17;
        const NO_IMPLICIT_NAMES = 1 << 18;
        const CHANNEL_RENAME = 1 << 19;
        const REDACTION = 1 << 20;
        const PRE_AWAY = 1 << 21;
        const METADATA = 1 << 22;
        const CHATHISTORY = 1 << 23;
        const EVENT_PLAYBACK = 1 << 24;
        const SEARCH = 1 << 25;
        const SASL = 1 << 26;
        const ACCOUNT_REGISTRATION = 1 << 27;
        const READ_MARKER = 1 << 28;
        const PLAYBACK = 1 << 29;

        /// What there is only where something is kept.
        const PAST = Self::CHATHISTORY.bits()
            | Self::EVENT_PLAYBACK.bits()
            | Self::SEARCH.bits()
            | Self::PLAYBACK.bits()
            | Self::SASL.bits()
            | Self::ACCOUNT_REGISTRATION.bits()
            | Self::READ_MARKER.bits();

        /// What makes the tags of a message differ between clients.
        const TAGS = Self::SERVER_TIME.bits() | Self::MESSAGE_TAGS.bits() | Self::ACCOUNT_TAG.bits();
    }
}

/// What the multiline capability allows: bytes and lines of one message.
pub(super) const MULTILINE_BYTES_MAX: usize = 4096;
pub(super) const MULTILINE_LINES_MAX: usize = 100;

/// Every capability by its name. A name without a capability is only shown.
const TABLE: [(&str, Caps); 30] = [
    ("account-notify", Caps::ACCOUNT_NOTIFY),
    ("account-tag", Caps::ACCOUNT_TAG),
    ("away-notify", Caps::AWAY_NOTIFY),
    ("batch", Caps::BATCH),
    ("cap-notify", Caps::CAP_NOTIFY),
    ("chghost", Caps::CHGHOST),
    ("draft/account-registration", Caps::ACCOUNT_REGISTRATION),
    ("draft/channel-rename", Caps::CHANNEL_RENAME),
    ("draft/chathistory", Caps::CHATHISTORY),
    ("draft/event-playback", Caps::EVENT_PLAYBACK),
    ("draft/message-redaction", Caps::REDACTION),
    ("draft/metadata-2", Caps::METADATA),
    ("draft/multiline", Caps::MULTILINE),
    ("draft/no-implicit-names", Caps::NO_IMPLICIT_NAMES),
    ("draft/pre-away", Caps::PRE_AWAY),
    ("draft/read-marker", Caps::READ_MARKER),
    ("echo-message", Caps::ECHO_MESSAGE),
    ("extended-join", Caps::EXTENDED_JOIN),
    ("extended-monitor", Caps::EXTENDED_MONITOR),
    ("invite-notify", Caps::INVITE_NOTIFY),
    ("labeled-response", Caps::LABELED_RESPONSE),
    ("message-tags", Caps::MESSAGE_TAGS),
    ("multi-prefix", Caps::MULTI_PREFIX),
    ("sasl", Caps::SASL),
    ("server-time", Caps::SERVER_TIME),
    ("setname", Caps::SETNAME),
    ("soju.im/search", Caps::SEARCH),
    ("standard-replies", Caps::STANDARD_REPLIES),
    ("userhost-in-names", Caps::USERHOST_IN_NAMES),
    ("znc.in/playback", Caps::PLAYBACK),
];

impl Caps {
    /// The capability of a name. Names from before a specification was ratified, or after, are taken too.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = match name {
            "draft/extended-monitor" => "extended-monitor",
            "no-implicit-names" => "draft/no-implicit-names",
            "draft/setname" => "setname",
            name => name,
        };
        TABLE.iter().find(|(known, _)| *known == name).map(|(_, cap)| *cap)
    }

    /// With what is part of others: who is played the past has to be told when it was.
    pub(super) fn with_implied(self) -> Self {
        if self.contains(Self::PLAYBACK) { self | Self::SERVER_TIME } else { self }
    }

    /// The names of these, each once.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        TABLE.iter().filter(move |(_, cap)| self.contains(*cap)).map(|(name, _)| *name)
    }

    /// The wire form of those of these that matter.
    pub(super) fn form(self, that_matter: Self, variant: u32) -> Form {
        crate::form(hub::Dialect::Irc, (self & that_matter).bits() | variant << 30)
    }
}

/// All names, with values where the client knows of values (CAP version 302). `secure`: the connection is TLS.
pub(super) fn offered(settings: &Settings, version_302: bool, secure: bool, mechanisms: &str) -> Vec<String> {
    let mut all: Vec<_> = TABLE
        .iter()
        .filter(|(_, cap)| settings.keeps || !Caps::PAST.contains(*cap))
        .map(|(name, cap)| match *cap {
            Caps::MULTILINE if version_302 => {
                format!("{name}=max-bytes={MULTILINE_BYTES_MAX},max-lines={MULTILINE_LINES_MAX}")
            }
            Caps::SASL if version_302 => format!("{name}={mechanisms}"),
            Caps::ACCOUNT_REGISTRATION if version_302 => format!("{name}=before-connect"),
            Caps::METADATA if version_302 => format!(
                "{name}=before-connect,max-subs={METADATA_WANTED_MAX},max-keys={METADATA_KEYS_MAX},\
                 max-value-bytes={METADATA_VALUE_BYTES_MAX}"
            ),
            _ => (*name).to_owned(),
        })
        .collect();
    if let (Some(sts), true) = (&settings.irc_sts, version_302) {
        let policy =
            if secure { format!("duration={}", sts.duration_s) } else { format!("port={}", sts.port) };
        all.push(format!("sts={policy}"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capability_has_a_name() {
        let named = TABLE.iter().fold(Caps::empty(), |all, (_, cap)| all | *cap);
        assert_eq!(named, Caps::all());
        assert!(Caps::all().names().count() >= 22);
    }
}
