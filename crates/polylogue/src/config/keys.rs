//! What a key is, and the sections that the keys stand in. The keys themselves are in `table.rs`.

use std::fmt;

use super::field::Field;
use super::problem::nearest;
use super::{limits, table};

/// All keys, section by section.
pub(super) fn all() -> impl Iterator<Item = &'static Key> {
    SECTIONS
        .iter()
        .flat_map(|section| table::KEYS.iter().chain(limits::KEYS).filter(|key| key.section == section.name))
}

/// A table of the file.
pub(super) struct Section {
    /// Its name.
    pub(super) name: &'static str,
    /// What it is about.
    pub(super) about: &'static str,
}

/// One key.
pub(super) struct Key {
    /// The table that it stands in.
    pub(super) section: &'static str,
    /// Its name there.
    pub(super) name: &'static str,
    /// What it does, in lines that fit a comment.
    pub(super) about: &'static [&'static str],
    /// Its value.
    pub(super) field: Field,
}

impl Key {
    pub(super) const fn new(
        section: &'static str,
        name: &'static str,
        about: &'static [&'static str],
        field: Field,
    ) -> Self {
        Self { section, name, about, field }
    }

    /// The key of that name, if there is one.
    pub(super) fn find(section: &str, name: &str) -> Option<&'static Self> {
        all().find(|key| key.section == section && key.name == name)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.section, self.name)
    }
}

/// What to do about an unknown key: the nearest valid one, if any is near.
pub(super) fn hint_for(wanted: &str) -> String {
    // A key in the wrong section is the commonest mistake.
    let name = wanted.rsplit('.').next().unwrap_or(wanted);
    let known: Vec<String> = all().map(Key::to_string).collect();
    let same: Vec<_> = all().filter(|key| key.name == name).map(Key::to_string).collect();
    if let [only] = same.as_slice() {
        return format!("the nearest key is {only}");
    }
    match nearest(wanted, known.iter().map(String::as_str)) {
        Some(near) => format!("the nearest key is {near}"),
        None => "`polylogue config` prints every key".to_owned(),
    }
}

/// The sections, for errors.
pub(super) fn sections_in_words() -> String {
    let names: Vec<_> = SECTIONS.iter().map(|section| format!("[{}]", section.name)).collect();
    names.join(", ")
}

/// All sections, in the order in which they are printed.
pub(super) const SECTIONS: &[Section] = &[
    Section { name: "server", about: "What the server is called and where it listens." },
    Section { name: "store", about: "What is said, kept for those who come later." },
    Section { name: "accounts", about: "Names that belong to somebody." },
    Section { name: "admin", about: "Orders of whoever runs the server (polylogue admin)." },
    Section { name: "tls", about: "Encryption: with these two, every port takes TLS as well." },
    Section { name: "log", about: "The log, which goes to the standard error." },
    Section { name: "limits", about: "What one client, and all together, may take." },
    Section { name: "dialects", about: "What several protocols have in common." },
    Section { name: "muca", about: "JSON objects over TCP." },
    Section { name: "rooms", about: "Plain text, NAME_ROOM first." },
    Section { name: "bridge", about: "Clients that look for a partner and then talk directly." },
    Section { name: "irc", about: "RFC 1459 with IRCv3; people of all protocols keep order with it." },
    Section { name: "messenger", about: "REGISTER TOSEND and TORECV, SEND and FORWARD." },
];
