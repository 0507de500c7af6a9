//! What the session has asked of the hub and will be answered.

use hub::MetadataAction;
use smol_str::SmolStr;

/// What an answer of the hub's is for. Names and channels are as the client wrote them.
#[derive(Debug)]
pub(super) enum Asked {
    /// Registration.
    Login,
    /// A message to somebody or a channel. `quiet`: it is a NOTICE, which is never answered.
    Say {
        command: &'static str,
        target: SmolStr,
        quiet: bool,
    },
    /// A TAGMSG.
    Tags {
        target: String,
    },
    Redact {
        target: String,
        id: String,
    },
    Join {
        channel: String,
    },
    Part {
        channel: String,
    },
    Kick {
        channel: String,
        whom: String,
    },
    Invite {
        channel: String,
        whom: String,
    },
    SetTopic {
        channel: String,
    },
    ShowTopic {
        channel: String,
    },
    /// With the letter of each change.
    SetModes {
        channel: String,
        letters: Vec<char>,
    },
    ShowModes {
        channel: String,
    },
    ShowMasks {
        channel: String,
    },
    RenameRoom {
        channel: String,
        name: String,
    },
    /// A room has another name, and the client knows no word for it: it is shown the room as if it had just come.
    Rejoin {
        channel: String,
    },
    Nick,
    Away {
        away: bool,
    },
    SetName,
    SetFlags,
    Oper,
    Kill {
        whom: String,
    },
    Wallops,
    Rehash,
    ShowFlags,
    /// Somebody else's flags, which nobody may see or change; only whether there is somebody is of interest.
    ModeOfOther {
        nick: String,
    },
    Names {
        channel: String,
    },
    /// A part of the past; the words that its answer repeats.
    History {
        subcommand: String,
        target: String,
        limit: usize,
    },
    MarkRead,
    /// AUTHENTICATE, once everything is said.
    Sasl,
    ScramKeys,
    /// PASS. `strict`: it names an account.
    Pass {
        strict: bool,
    },
    Register {
        account: String,
    },
    HistoryTargets,
    /// A part of the past as ZNC plays it: of one target, or of all.
    Playback {
        target: Option<String>,
    },
    /// Where there is something to play; only this target is of interest, if given.
    PlaybackList {
        target: Option<String>,
    },
    Search,
    List,
    Who {
        mask: String,
        wanted: Option<Whox>,
    },
    Whois {
        nick: String,
    },
    Whowas {
        nick: String,
    },
    Userhost,
    Ison,
    Lusers,
    Monitor,
    MonitorList,
    MonitorStatus,
    Metadata {
        target: String,
        action: MetadataAction,
    },
    /// What was wanted before registration, and acknowledged then.
    EarlyMetadata,
}

impl Asked {
    /// Whether it is looked up in what was kept.
    pub(super) fn is_recall(&self) -> bool {
        matches!(
            self,
            Self::History { .. }
                | Self::HistoryTargets
                | Self::Search
                | Self::Playback { .. }
                | Self::PlaybackList { .. }
        )
    }
}

/// What a WHOX request wants to see of each person.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Whox {
    /// Letters.
    pub(super) fields: String,
    /// What it wants to have back with each line.
    pub(super) token: String,
}
