//! The hub's no, in numerics.

use hub::Refusal;
use proto::irc::Numeric;

use super::asked::Asked;
use super::registration::is_nick;
use super::{Call, IrcSession};

impl IrcSession {
    /// Says why something can't be.
    pub(super) fn refuse(&mut self, cx: &mut Call<'_>, asked: &Asked, refusal: &Refusal) {
        if let Asked::Say { quiet: true, .. } = asked {
            return;
        }
        if let Asked::Metadata { target, .. } = asked
            && self.refuse_metadata(cx, target, refusal)
        {
            return;
        }
        if let Asked::Redact { target, .. } = asked
            && matches!(refusal, Refusal::NoSuchRoom { .. } | Refusal::NoSuchUser { .. } | Refusal::NotInRoom)
        {
            let text = "You cannot take messages back there";
            return self.fail(cx, "REDACT", "INVALID_TARGET", &[target], text);
        }
        if self.refuse_login(cx, asked, refusal) || self.refuse_history(cx, asked, refusal) {
            return;
        }
        let About { command, channel, whom } = About::of(asked);
        let no = |session: &mut Self, cx: &mut Call<'_>, numeric, params: &[&str], text: &str| {
            let line = session.numeric(cx, numeric);
            params.iter().fold(line, |line, param| line.param(param)).trailing(text);
        };
        let words = refusal.to_string();
        match refusal {
            // The promise that was asked for can't be given.
            Refusal::NotKept if !self.relies_on_acks() => {}
            Refusal::NotKept => {
                let about = if channel.is_empty() { whom } else { channel };
                self.fail(cx, command, "NOT_KEPT", &[about], &words);
            }
            Refusal::NoHistory
            | Refusal::AccountExists { .. }
            | Refusal::RegistrationClosed
            | Refusal::InvitationNeeded
            | Refusal::NoSuchInvitation
            | Refusal::NoAccount
            | Refusal::NameShared
            | Refusal::TooManyAttempts { .. }
            | Refusal::PasswordUnfit { .. } => self.fail(cx, command, "FAILED", &[], &words),
            Refusal::NameRegistered { name } => {
                let text = "Nickname belongs to an account: log in to it first";
                no(self, cx, Numeric::ERR_NICKNAMEINUSE, &[name], text);
            }
            Refusal::NameTaken { name } => {
                no(self, cx, Numeric::ERR_NICKNAMEINUSE, &[name], "Nickname is already in use");
            }
            Refusal::NameMalformed { name, .. } => {
                let shown = if is_nick(name) { name } else { "*" };
                no(self, cx, Numeric::ERR_ERRONEUSNICKNAME, &[shown], "Erroneous nickname");
            }
            Refusal::RoomMalformed { .. } | Refusal::RoomTaken { .. } if command == "RENAME" => {
                let taken = matches!(refusal, Refusal::RoomTaken { .. });
                let code = if taken { "CHANNEL_NAME_IN_USE" } else { "CANNOT_RENAME" };
                self.fail(cx, "RENAME", code, &[channel, whom], &words);
            }
            Refusal::RoomMalformed { .. } => {
                no(self, cx, Numeric::ERR_NOSUCHCHANNEL, &[channel], "No such channel");
            }
            Refusal::RoomTaken { .. } => {
                no(self, cx, Numeric::ERR_UNAVAILRESOURCE, &[channel], "Channel exists already");
            }
            Refusal::RoomFull { .. } => {
                no(self, cx, Numeric::ERR_CHANNELISFULL, &[channel], "Cannot join channel (+l)");
            }
            Refusal::LoggedInAlready { .. } => {
                no(self, cx, Numeric::ERR_ALREADYREGISTERED, &[], "You may not reregister");
            }
            Refusal::NotLoggedIn => {
                no(self, cx, Numeric::ERR_NOTREGISTERED, &[], "You have not registered");
            }
            Refusal::NotInRoom if matches!(asked, Asked::Say { .. } | Asked::Tags { .. }) => {
                no(self, cx, Numeric::ERR_CANNOTSENDTOCHAN, &[channel], "Cannot send to channel (+n)");
            }
            Refusal::NotInRoom => {
                no(self, cx, Numeric::ERR_NOTONCHANNEL, &[channel], "You're not on that channel");
            }
            Refusal::NoSuchUser { name } => {
                no(self, cx, Numeric::ERR_NOSUCHNICK, &[name], "No such nick/channel");
            }
            Refusal::NeedsAccount if matches!(asked, Asked::Say { .. } | Asked::Tags { .. }) => {
                match channel.is_empty() {
                    true => {
                        let text = "You must be logged in to an account to message this user";
                        no(self, cx, Numeric::ERR_NONONREG, &[whom], text);
                    }
                    false => {
                        let text = "You must be logged in to an account to speak (+M)";
                        no(self, cx, Numeric::ERR_CANNOTSENDTOCHAN, &[channel], text);
                    }
                }
            }
            Refusal::NeedsAccount => {
                let text = "Cannot join channel (+R): log in to an account";
                no(self, cx, Numeric::ERR_NEEDREGGEDNICK, &[channel], text);
            }
            Refusal::Busy { .. } | Refusal::TooManyWaiting => {
                no(self, cx, Numeric::ERR_CANTSENDTOUSER, &[whom], &words);
            }
            Refusal::TextEmpty => no(self, cx, Numeric::ERR_NOTEXTTOSEND, &[], "No text to send"),
            Refusal::TextTooLong { .. } => no(self, cx, Numeric::ERR_INPUTTOOLONG, &[], &words),
            Refusal::TooFast { .. } if command == "NICK" => {
                no(self, cx, Numeric::ERR_NICKTOOFAST, &[whom], &words);
            }
            Refusal::TooFast { .. } => no(self, cx, Numeric::RPL_TRYAGAIN, &[command], &words),
            Refusal::NoSuchRoom { .. } => {
                no(self, cx, Numeric::ERR_NOSUCHCHANNEL, &[channel], "No such channel");
            }
            Refusal::NotAMember { name } => {
                let text = "They aren't on that channel";
                no(self, cx, Numeric::ERR_USERNOTINCHANNEL, &[name, channel], text);
            }
            // Nothing has to be done.
            Refusal::MemberAlready { .. } if command == "JOIN" => {}
            Refusal::MemberAlready { .. } => {
                no(self, cx, Numeric::ERR_USERONCHANNEL, &[whom, channel], "is already on channel");
            }
            Refusal::TooManyRooms { .. } => {
                no(self, cx, Numeric::ERR_TOOMANYCHANNELS, &[channel], "You have joined too many channels");
            }
            Refusal::InviteOnly => {
                no(self, cx, Numeric::ERR_INVITEONLYCHAN, &[channel], "Cannot join channel (+i)");
            }
            Refusal::WrongKey => {
                no(self, cx, Numeric::ERR_BADCHANNELKEY, &[channel], "Cannot join channel (+k)");
            }
            Refusal::Banned => {
                no(self, cx, Numeric::ERR_BANNEDFROMCHAN, &[channel], "Cannot join channel (+b)");
            }
            Refusal::CannotSpeak { why } => {
                let text = format!("Cannot send to channel: {why}");
                no(self, cx, Numeric::ERR_CANNOTSENDTOCHAN, &[channel], &text);
            }
            Refusal::TooSoon { .. } => {
                let text = format!("Cannot send to channel: {words}");
                no(self, cx, Numeric::ERR_CANNOTSENDTOCHAN, &[channel], &text);
            }
            Refusal::RankTooLow { .. } => {
                let text = "You're not a channel operator";
                no(self, cx, Numeric::ERR_CHANOPRIVSNEEDED, &[channel], text);
            }
            Refusal::NoPrivilege { .. } => {
                let text = "Permission Denied- You're not an IRC operator";
                no(self, cx, Numeric::ERR_NOPRIVILEGES, &[], text);
            }
            // Only METADATA has these, and words of its own for them.
            Refusal::KeyMalformed { .. } | Refusal::KeyNotSet { .. } | Refusal::NotYours { .. } => {
                no(self, cx, Numeric::ERR_NOPRIVILEGES, &[], &words);
            }
            Refusal::WrongPassword => {
                no(self, cx, Numeric::ERR_PASSWDMISMATCH, &[], "Password incorrect");
            }
            Refusal::MaskMalformed { mask } => {
                no(self, cx, Numeric::ERR_INVALIDMODEPARAM, &[channel, whom, mask], "Invalid mask");
            }
            Refusal::ListFull { mask, .. } => {
                let text = format!("Channel list is full: {mask}");
                no(self, cx, Numeric::ERR_BANLISTFULL, &[channel, whom], &text);
            }
            Refusal::SettingMalformed { value: _, rule } if whom == "k" => {
                no(self, cx, Numeric::ERR_INVALIDKEY, &[channel], rule);
            }
            Refusal::SettingMalformed { value: _, rule } if command == "RENAME" => {
                self.fail(cx, "RENAME", "CANNOT_RENAME", &[channel, whom], rule);
            }
            Refusal::SettingMalformed { value, rule } => {
                no(self, cx, Numeric::ERR_INVALIDMODEPARAM, &[channel, whom, value], rule);
            }
            Refusal::NoSuchMessage => {
                self.fail(cx, "REDACT", "UNKNOWN_MSGID", &[channel, whom], "There is no such message");
            }
            Refusal::NotYourMessage => {
                let text = "You may not take this message back";
                self.fail(cx, "REDACT", "REDACT_FORBIDDEN", &[channel, whom], text);
            }
            Refusal::ServerFull { .. } => {
                no(self, cx, Numeric::RPL_TRYAGAIN, &[command], &words);
            }
        }
    }
}

/// What a refusal is about, as numerics name it.
struct About<'a> {
    command: &'a str,
    /// A channel, or the target of something that is said to one.
    channel: &'a str,
    /// A person, a letter, the second of two names.
    whom: &'a str,
}

impl<'a> About<'a> {
    fn of(asked: &'a Asked) -> Self {
        let about = |command, channel, whom| Self { command, channel, whom };
        match asked {
            Asked::Login | Asked::Nick => about("NICK", "", ""),
            Asked::Say { command, target, .. } => Self::said(command, target),
            Asked::Tags { target } => Self::said("TAGMSG", target),
            Asked::Redact { target, id } => about("REDACT", target, id),
            Asked::Join { channel } | Asked::Rejoin { channel } => about("JOIN", channel, ""),
            Asked::Part { channel } => about("PART", channel, ""),
            Asked::Kick { channel, whom } => about("KICK", channel, whom),
            Asked::Invite { channel, whom } => about("INVITE", channel, whom),
            Asked::SetTopic { channel } | Asked::ShowTopic { channel } => about("TOPIC", channel, ""),
            Asked::SetModes { channel, .. } | Asked::ShowModes { channel } | Asked::ShowMasks { channel } => {
                about("MODE", channel, "")
            }
            Asked::RenameRoom { channel, name } => about("RENAME", channel, name),
            Asked::Away { .. } => about("AWAY", "", ""),
            Asked::SetName => about("SETNAME", "", ""),
            Asked::SetFlags | Asked::ShowFlags | Asked::ModeOfOther { .. } => about("MODE", "", ""),
            Asked::Oper => about("OPER", "", ""),
            Asked::Kill { whom } => about("KILL", "", whom),
            Asked::Wallops => about("WALLOPS", "", ""),
            Asked::Rehash => about("REHASH", "", ""),
            Asked::Names { channel } => about("NAMES", channel, ""),
            Asked::List => about("LIST", "", ""),
            Asked::Who { mask, .. } => about("WHO", mask, ""),
            Asked::Whois { nick } => about("WHOIS", "", nick),
            Asked::Whowas { nick } => about("WHOWAS", "", nick),
            Asked::Userhost => about("USERHOST", "", ""),
            Asked::Ison => about("ISON", "", ""),
            Asked::Lusers => about("LUSERS", "", ""),
            Asked::Monitor | Asked::MonitorList | Asked::MonitorStatus => about("MONITOR", "", ""),
            Asked::History { target, .. } => about("CHATHISTORY", target, ""),
            Asked::MarkRead => about("MARKREAD", "", ""),
            Asked::Sasl | Asked::ScramKeys | Asked::Pass { .. } => about("AUTHENTICATE", "", ""),
            Asked::Register { account } => about("REGISTER", account, ""),
            Asked::HistoryTargets => about("CHATHISTORY", "", ""),
            Asked::Search => about("SEARCH", "", ""),
            Asked::Playback { .. } | Asked::PlaybackList { .. } => about("ZNC", "", ""),
            Asked::Metadata { target, .. } => about("METADATA", target, ""),
            Asked::EarlyMetadata => about("METADATA", "", ""),
        }
    }

    fn said(command: &'a str, target: &'a str) -> Self {
        match target.contains('#') {
            true => Self { command, channel: target, whom: "" },
            false => Self { command, channel: "", whom: target },
        }
    }
}
