//! RPL_ISUPPORT: what holds here. Every token is true; what isn't there doesn't hold.

use super::registration::USERNAME_CHARS_MAX;
use super::{history, messages, modes};
use crate::Settings;

/// Tokens on one line (modern.ircdocs.horse: at most 13).
const TOKENS_MAX: usize = 13;

/// The tokens, line by line.
pub(super) fn lines(settings: &Settings) -> Vec<Vec<String>> {
    let limits = &settings.irc_limits;
    let (phrase, targets) = (limits.phrase_bytes_max, messages::TARGETS_MAX);
    let all = [
        format!("AWAYLEN={phrase}"),
        "BOT=B".to_owned(),
        "CASEMAPPING=ascii".to_owned(),
        format!("CHANLIMIT=#:{}", limits.rooms_max),
        format!("CHANMODES={}", modes::CHANMODES),
        format!("CHANNELLEN={}", hub::ROOM_CHARS_MAX + 1),
        "CHANTYPES=#".to_owned(),
        "ELIST=CMNTU".to_owned(),
        "EXCEPTS=e".to_owned(),
        "EXTBAN=~,am".to_owned(),
        "HOSTLEN=64".to_owned(),
        "INVEX=I".to_owned(),
        "KEYLEN=64".to_owned(),
        format!("KICKLEN={phrase}"),
        format!("LINELEN={}", proto::irc::LINE_BYTES_MAX),
        format!("MAXLIST=beI:{}", limits.masks_max),
        format!("MAXTARGETS={targets}"),
        format!("MODES={}", modes::CHANGES_MAX),
        format!("MONITOR={}", limits.watched_max),
        format!("NAMELEN={phrase}"),
        format!("NETWORK={}", settings.irc_network),
        format!("NICKLEN={}", hub::NAME_CHARS_MAX),
        format!("PREFIX={}", modes::PREFIX),
        format!("STATUSMSG={}", modes::MARKS),
        format!(
            "TARGMAX=JOIN:,KICK:,LIST:,MONITOR:,NAMES:1,NOTICE:{targets},PART:,PRIVMSG:{targets},TAGMSG:{targets},USERHOST:5,WHOIS:1,WHOWAS:1"
        ),
        format!("TOPICLEN={phrase}"),
        format!("USERLEN={}", USERNAME_CHARS_MAX + 1),
        "UTF8ONLY".to_owned(),
        "WHOX".to_owned(),
    ];
    let history = [format!("CHATHISTORY={}", history::PAGE_MAX), "MSGREFTYPES=msgid,timestamp".to_owned()];
    let mut all: Vec<String> =
        all.into_iter().chain(history.into_iter().filter(|_| settings.keeps)).collect();
    all.sort();
    all.chunks(TOKENS_MAX).map(<[String]>::to_vec).collect()
}
