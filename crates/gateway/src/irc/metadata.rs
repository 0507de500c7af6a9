//! METADATA: public data of people and channels (IRCv3 draft/metadata-2).

use std::sync::Arc;

use hub::{
    Actor, Command, METADATA_KEYS_MAX, METADATA_VALUE_BYTES_MAX, MetadataAction, MetadataAnswer,
    MetadataEntry, MetadataOf, MetadataTarget, Refusal,
};
use proto::irc::{Line, Numeric, Writer};

use super::asked::Asked;
use super::caps::Caps;
use super::messages::channel_name;
use super::registration::Registering;
use super::{Call, IrcSession, State, wire};

/// Everything here can be seen by everybody.
const VISIBILITY: &str = "*";

/// Data from before registration.
#[derive(Debug, Default)]
pub(super) struct EarlyMetadata {
    pub(super) values: Vec<(String, String)>,
    pub(super) wanted: Vec<String>,
}

impl IrcSession {
    /// METADATA; whether it was.
    pub(super) fn on_metadata(&mut self, cx: &mut Call<'_>, name: &str, line: &Line<'_>) -> bool {
        if name != "METADATA" || !self.caps.contains(Caps::METADATA) {
            return false;
        }
        let (Some(target), Some(verb)) = (line.params.at(0), line.params.at(1)) else {
            self.need_more(cx, "METADATA");
            return true;
        };
        let rest = line.params.get(2..).unwrap_or_default();
        let keys = || rest.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let action = match (verb.to_ascii_uppercase().as_str(), rest) {
            ("GET" | "SET" | "SUB" | "UNSUB", []) => {
                self.need_more(cx, "METADATA");
                return true;
            }
            ("GET", _) => MetadataAction::Get(keys()),
            ("LIST", _) => MetadataAction::Get(Vec::new()),
            ("SET", [key]) => MetadataAction::Set((*key).to_owned(), None),
            ("SET", [key, value, ..]) => MetadataAction::Set((*key).to_owned(), Some((*value).to_owned())),
            ("CLEAR", _) => MetadataAction::Clear,
            ("SUB", _) => MetadataAction::Want(keys()),
            ("UNSUB", _) => MetadataAction::Unwant(keys()),
            ("SUBS", _) => MetadataAction::Wanted,
            ("SYNC", _) => MetadataAction::Sync,
            _ => {
                self.fail(cx, "METADATA", "SUBCOMMAND_INVALID", &[verb], "Invalid subcommand");
                return true;
            }
        };
        if let State::Registering(_) = &self.state {
            self.on_early_metadata(cx, target, action);
            return true;
        }
        let own = target == "*" || self.target().eq_ignore_ascii_case(target);
        let whose = match target {
            _ if own => MetadataTarget::Own,
            channel if channel.starts_with('#') => MetadataTarget::Room(channel_name(channel).to_owned()),
            nick => MetadataTarget::User(nick.to_owned()),
        };
        let asked = Asked::Metadata { target: target.to_owned(), action: action.clone() };
        self.ask(cx, asked, Command::Metadata { target: whose, action });
        true
    }

    /// What a client says of itself before it is registered.
    fn on_early_metadata(&mut self, cx: &mut Call<'_>, target: &str, action: MetadataAction) {
        let State::Registering(registering) = &mut self.state else { return };
        let Registering { metadata, .. } = &mut **registering;
        if target != "*" {
            return self.fail(cx, "METADATA", "INVALID_TARGET", &[target], "Register first");
        }
        match action {
            MetadataAction::Set(key, None) => {
                metadata.values.retain(|(known, _)| *known != key);
                self.send_values(cx, "*", &[(key.into(), None)], false);
            }
            MetadataAction::Set(_, Some(value)) if value.len() > METADATA_VALUE_BYTES_MAX => {
                self.fail(cx, "METADATA", "VALUE_INVALID", &[], "The value is too long");
            }
            MetadataAction::Set(key, Some(value)) => {
                metadata.values.retain(|(known, _)| *known != key);
                if metadata.values.len() >= METADATA_KEYS_MAX {
                    return self.fail(cx, "METADATA", "LIMIT_REACHED", &["*"], "Too many keys");
                }
                metadata.values.push((key.clone(), value.clone()));
                self.send_values(cx, "*", &[(key.into(), Some(value.into()))], false);
            }
            MetadataAction::Get(keys) => {
                let found = |key: &String| {
                    let value = metadata.values.iter().find(|(known, _)| known == key);
                    (key.as_str().into(), value.map(|(_, value)| value.as_str().into()))
                };
                let all: Vec<String> = metadata.values.iter().map(|(key, _)| key.clone()).collect();
                let keys = if keys.is_empty() { all } else { keys };
                let values: Vec<(Arc<str>, Option<Arc<str>>)> = keys.iter().map(found).collect();
                self.send_values(cx, "*", &values, true);
            }
            MetadataAction::Want(keys) if metadata.wanted.len() + keys.len() <= hub::METADATA_WANTED_MAX => {
                metadata.wanted.extend(keys.iter().cloned());
                self.send_keys(cx, Numeric::RPL_METADATASUBOK, &keys);
            }
            MetadataAction::Unwant(keys) => {
                metadata.wanted.retain(|key| !keys.contains(key));
                self.send_keys(cx, Numeric::RPL_METADATAUNSUBOK, &keys);
            }
            MetadataAction::Want(_)
            | MetadataAction::Clear
            | MetadataAction::Wanted
            | MetadataAction::Sync => {
                self.numeric(cx, Numeric::ERR_NOTREGISTERED).trailing("You have not registered");
            }
        }
    }

    /// The client is registered: it is shown what it said of itself before, and asks for what it wanted.
    pub(super) fn send_early_metadata(&mut self, cx: &mut Call<'_>, metadata: EarlyMetadata) {
        let State::Active(active) = &self.state else { return };
        let me = MetadataOf::User(active.card.clone());
        let entry = |(key, value): (String, String)| (me.clone(), key.into(), value.into());
        let entries: Vec<MetadataEntry> = metadata.values.into_iter().map(entry).collect();
        self.send_entries(cx, &entries);
        if !metadata.wanted.is_empty() {
            let action = MetadataAction::Want(metadata.wanted);
            let command = Command::Metadata { target: MetadataTarget::Own, action };
            // Its answer was given before.
            self.ask(cx, Asked::EarlyMetadata, command);
        }
    }

    /// What became of a METADATA.
    pub(super) fn on_metadata_answer(&mut self, cx: &mut Call<'_>, asked: &Asked, answer: MetadataAnswer) {
        let Asked::Metadata { target, action } = asked else { return };
        match answer {
            MetadataAnswer::Values(of, values) => {
                let shown = match &of {
                    MetadataOf::User(card) => wire::nick(card).to_owned(),
                    MetadataOf::Room(card) => card.channel().to_owned(),
                };
                let batched = !matches!(action, MetadataAction::Set(..));
                self.send_values(cx, if target == "*" { &shown } else { target }, &values, batched);
            }
            MetadataAnswer::Wanted { keys, malformed, too_many, entries } => {
                for key in &malformed {
                    self.fail(cx, "METADATA", "KEY_INVALID", &[key], "That is no key");
                }
                if let Some(key) = too_many.first() {
                    self.fail(cx, "METADATA", "TOO_MANY_SUBS", &[key], "Too many subscriptions");
                }
                match action {
                    MetadataAction::Unwant(_) => self.send_keys(cx, Numeric::RPL_METADATAUNSUBOK, &keys),
                    MetadataAction::Wanted => self.send_wanted(cx, &keys),
                    MetadataAction::Want(_)
                    | MetadataAction::Get(_)
                    | MetadataAction::Set(..)
                    | MetadataAction::Clear
                    | MetadataAction::Sync => self.send_keys(cx, Numeric::RPL_METADATASUBOK, &keys),
                }
                self.send_entries(cx, &entries);
            }
            MetadataAnswer::Entries(entries) => self.send_entries(cx, &entries),
        }
    }

    /// Why a METADATA can't be.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others have the words that all commands have")]
    pub(super) fn refuse_metadata(&mut self, cx: &mut Call<'_>, target: &str, refusal: &Refusal) -> bool {
        let (code, about, text): (_, Vec<&str>, _) = match refusal {
            Refusal::NoSuchUser { .. } | Refusal::NoSuchRoom { .. } => {
                ("INVALID_TARGET", vec![target], "There is nobody and nothing of that name")
            }
            Refusal::KeyMalformed { key } => ("KEY_INVALID", vec![key], "That is no key"),
            Refusal::NotYours { key } => ("KEY_NO_PERMISSION", vec![target, key], "That is not yours to set"),
            Refusal::KeyNotSet { key } => ("KEY_NOT_SET", vec![target, key], "Nothing is set under that key"),
            Refusal::ListFull { .. } => ("LIMIT_REACHED", vec![target], "Too many keys"),
            Refusal::SettingMalformed { .. } => ("VALUE_INVALID", Vec::new(), "The value is too long"),
            Refusal::TooFast { .. } => ("RATE_LIMITED", vec![target, "*", "1"], "Too fast"),
            _ => return false,
        };
        self.fail(cx, "METADATA", code, &about, text);
        true
    }

    fn send_values(
        &mut self,
        cx: &mut Call<'_>,
        target: &str,
        values: &[(Arc<str>, Option<Arc<str>>)],
        batched: bool,
    ) {
        let batch = self.begin_metadata(cx, target, batched);
        for (key, value) in values {
            let (server, me) = (self.settings.irc_name.clone(), self.target());
            let line = tagged(self.line(cx), batch.as_deref()).source(&server);
            match value {
                Some(value) => {
                    let line = line.numeric(Numeric::RPL_KEYVALUE, &me).param(target).param(key);
                    line.param(VISIBILITY).trailing(value);
                }
                None => {
                    let line = line.numeric(Numeric::RPL_KEYNOTSET, &me).param(target).param(key);
                    line.trailing("key not set");
                }
            }
        }
        self.end_metadata(cx, batch);
    }

    /// What is known of people and channels, as if it had just been set.
    pub(super) fn send_entries(&mut self, cx: &mut Call<'_>, entries: &[MetadataEntry]) {
        if entries.is_empty() {
            return;
        }
        let target = self.target();
        let batch = self.begin_metadata(cx, &target, true);
        for (of, key, value) in entries {
            let server = self.settings.irc_name.clone();
            let line = tagged(self.line(cx), batch.as_deref());
            let (line, target) = match of {
                MetadataOf::User(card) => {
                    (line.user(wire::nick(card), card.username(), card.host()), wire::nick(card))
                }
                MetadataOf::Room(card) => (line.source(&server), card.channel()),
            };
            line.command("METADATA").param(target).param(key).param(VISIBILITY).trailing(value);
        }
        self.end_metadata(cx, batch);
    }

    /// Somebody's data has changed.
    pub(super) fn on_metadata_event(
        &mut self,
        cx: &mut Call<'_>,
        of: &MetadataOf,
        by: &Actor,
        (key, value): (&str, Option<&str>),
    ) {
        let server = self.settings.irc_name.clone();
        let line = Writer::new(&mut cx.lines);
        let line = match by {
            Actor::User(by) => line.user(wire::nick(by), by.username(), by.host()),
            Actor::Server => line.source(&server),
        };
        let target = match of {
            MetadataOf::User(card) => wire::nick(card),
            MetadataOf::Room(card) => card.channel(),
        };
        let line = line.command("METADATA").param(target).param(key).param(VISIBILITY);
        match value {
            Some(value) => line.trailing(value),
            None => line.end(),
        }
    }

    fn begin_metadata(&mut self, cx: &mut Call<'_>, target: &str, batched: bool) -> Option<String> {
        if !batched || !self.caps.contains(Caps::BATCH) {
            return None;
        }
        self.batches = self.batches.wrapping_add(1);
        let name = format!("d{}", self.batches);
        let line = self.server_line(cx).command("BATCH").param(&format!("+{name}")).param("metadata");
        line.param(target).end();
        Some(name)
    }

    fn end_metadata(&mut self, cx: &mut Call<'_>, batch: Option<String>) {
        if let Some(name) = batch {
            self.server_line(cx).command("BATCH").param(&format!("-{name}")).end();
        }
    }

    fn send_keys(&mut self, cx: &mut Call<'_>, numeric: Numeric, keys: &[String]) {
        for keys in keys.chunks(10) {
            let line = self.numeric(cx, numeric);
            keys.iter().fold(line, |line, key| line.param(key)).end();
        }
    }

    fn send_wanted(&mut self, cx: &mut Call<'_>, keys: &[String]) {
        let batch = if self.caps.contains(Caps::BATCH) {
            self.batches = self.batches.wrapping_add(1);
            let name = format!("d{}", self.batches);
            let line = self.server_line(cx).command("BATCH").param(&format!("+{name}"));
            line.param("metadata-subs").end();
            Some(name)
        } else {
            None
        };
        for keys in keys.chunks(10) {
            let (server, me) = (self.settings.irc_name.clone(), self.target());
            let line = tagged(self.line(cx), batch.as_deref()).source(&server);
            let line = line.numeric(Numeric::RPL_METADATASUBS, &me);
            keys.iter().fold(line, |line, key| line.param(key)).end();
        }
        self.end_metadata(cx, batch);
    }
}

fn tagged<'b>(line: Writer<'b>, batch: Option<&str>) -> Writer<'b> {
    match batch {
        Some(batch) => line.tag("batch", batch),
        None => line,
    }
}
