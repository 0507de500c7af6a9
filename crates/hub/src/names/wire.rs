//! Each dialect's grammar of names, and the legal form derived from a name that it can't write.

/// A wire protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// 64-character headers over WebSocket.
    Tmp,
    /// JSON objects over TCP.
    Muca,
    /// Plain text rooms.
    Rooms,
    /// Rendezvous for peers.
    Bridge,
    /// SEND and FORWARD.
    Messenger,
    /// RFC 1459 and 2812 with IRCv3.
    Irc,
}

impl Dialect {
    /// All dialects.
    pub const ALL: [Self; 6] = [Self::Tmp, Self::Muca, Self::Rooms, Self::Bridge, Self::Messenger, Self::Irc];

    /// The dialect's name, as it is written in addresses, configuration and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tmp => "tmp",
            Self::Muca => "muca",
            Self::Rooms => "rooms",
            Self::Bridge => "bridge",
            Self::Messenger => "messenger",
            Self::Irc => "irc",
        }
    }

    /// The dialect of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.as_str() == name)
    }

    /// In which space of names its users are addressed and shown.
    #[must_use]
    pub fn namespace(self) -> Namespace {
        match self {
            Self::Tmp => Namespace::Tmp,
            Self::Muca => Namespace::Muca,
            Self::Rooms => Namespace::Rooms,
            Self::Bridge | Self::Messenger => Namespace::Alphanumeric,
            Self::Irc => Namespace::Irc,
        }
    }
}

/// A space in which wire names are unique. Two dialects with one grammar share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Namespace {
    /// At most 20 UTF-16 units (the header's user field).
    Tmp,
    /// Nicknames that half of the clients take apart at spaces and commas.
    Muca,
    /// muca's UIDs: ASCII without white space.
    MucaUid,
    /// Anything without `_`, which ends the name in a first message, and without ` - `, which ends it before a
    /// text; nor may its end look like a part of what follows it there (`NAME (private) - text`).
    Rooms,
    /// ASCII letters and digits: bridge and messenger.
    Alphanumeric,
    /// IRC nicknames: nothing that means something else where nicknames stand.
    Irc,
}

/// What an IRC nickname can't have in it: what separates, what makes masks and hostmasks, and the point that tells
/// servers from people.
const IRC_RESERVED: [char; 7] = [' ', ',', '*', '?', '!', '@', '.'];
/// What an IRC nickname can't begin with: marks of channels, ranks, trailing parameters and server masks.
const IRC_MARKS: [char; 8] = ['#', '&', '$', ':', '~', '%', '+', '-'];

impl Namespace {
    /// All namespaces, in the order of [`Namespace::index`].
    pub(crate) const ALL: [Self; 6] =
        [Self::Tmp, Self::Muca, Self::MucaUid, Self::Rooms, Self::Alphanumeric, Self::Irc];

    /// Position in [`Namespace::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// Whether a canonical name can be written here as it is.
    #[must_use]
    pub fn is_legal(self, name: &str) -> bool {
        match self {
            Self::Tmp => name.encode_utf16().count() <= 20,
            Self::Muca => !name.contains([' ', ',']),
            // No canonical name is a UID: those have the dialect in them.
            Self::MucaUid => false,
            Self::Rooms => !name.contains('_') && !name.contains(" - ") && !ends_like_mark(name),
            Self::Alphanumeric => name.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            Self::Irc => !name.contains(IRC_RESERVED) && !name.starts_with(IRC_MARKS),
        }
    }

    /// A legal form of `name`, with `number` appended if it isn't 1. `dialect` is that of the user.
    pub(crate) fn derive(self, name: &str, dialect: Dialect, number: usize) -> String {
        let number = if number > 1 { number.to_string() } else { String::new() };
        match self {
            Self::Tmp => {
                let mut room = 20 - number.len();
                let kept: String = name
                    .chars()
                    .take_while(|c| {
                        let fits = c.len_utf16() <= room;
                        room = if fits { room - c.len_utf16() } else { 0 };
                        fits
                    })
                    .collect();
                format!("{}{number}", kept.trim_end())
            }
            Self::Muca => format!("{}{number}", name.replace([' ', ','], "_")),
            Self::MucaUid => {
                let kept = ascii(name, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
                [&kept, &number, "@", dialect.as_str()].concat()
            }
            Self::Rooms => {
                let mut kept = name.replace('_', "-").replace(" - ", "-");
                if ends_like_mark(&kept) {
                    kept = kept.replace(" -", "-").replace(['(', ')'], "");
                }
                format!("{kept}{number}")
            }
            Self::Alphanumeric => format!("{}{number}", ascii(name, |c| c.is_ascii_alphanumeric())),
            Self::Irc => {
                let room = crate::NAME_CHARS_MAX - number.len();
                let kept: String = name.replace(IRC_RESERVED, "_").chars().take(room).collect();
                let kept = if kept.starts_with(IRC_MARKS) { format!("_{}", &kept[1..]) } else { kept };
                format!("{kept}{number}")
            }
        }
    }
}

/// Whether a name's end would be taken for what stands between a name and a text in rooms.
fn ends_like_mark(name: &str) -> bool {
    name.ends_with(" -") || name.contains('(') && name.to_lowercase().contains("(private)")
}

/// `name` in ASCII, reduced to what `keep` allows; `user` if nothing is left.
fn ascii(name: &str, keep: impl Fn(&char) -> bool) -> String {
    let kept: String = deunicode::deunicode(name).chars().filter(keep).take(crate::NAME_CHARS_MAX).collect();
    if kept.is_empty() || kept.eq_ignore_ascii_case("all") { "user".to_owned() + &kept } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_forms_are_legal_and_readable() {
        let derive = |space: Namespace, name| space.derive(name, Dialect::Tmp, 1);
        assert_eq!(derive(Namespace::Alphanumeric, "Ana María"), "AnaMaria");
        assert_eq!(derive(Namespace::MucaUid, "Ana María"), "AnaMaria@tmp");
        assert_eq!(derive(Namespace::Muca, "Ana María"), "Ana_María");
        assert_eq!(derive(Namespace::Rooms, "snake_case"), "snake-case");
        assert_eq!(derive(Namespace::Rooms, "bob - hi"), "bob-hi");
        assert_eq!(derive(Namespace::Rooms, "bob -"), "bob-");
        assert_eq!(derive(Namespace::Rooms, "bob (Private)"), "bob Private");
        for name in ["bob -", "bob (private)", "a - b", "a_b"] {
            assert!(
                !Namespace::Rooms.is_legal(name)
                    && Namespace::Rooms.is_legal(&derive(Namespace::Rooms, name))
            );
        }
        assert_eq!(derive(Namespace::Tmp, "a name that is far too long"), "a name that is far t");
        assert_eq!(derive(Namespace::Alphanumeric, "!!!"), "user");
        assert_eq!(derive(Namespace::Alphanumeric, "A l l"), "userAll");
        assert_eq!(
            Namespace::Tmp.derive("a name that is far too long", Dialect::Rooms, 12),
            "a name that is far12"
        );
        assert_eq!(Namespace::MucaUid.derive("bob", Dialect::Rooms, 2), "bob2@rooms");
        assert_eq!(derive(Namespace::Irc, "Ana María"), "Ana_María");
        assert_eq!(derive(Namespace::Irc, "#a.b!c"), "_a_b_c");
        assert_eq!(Namespace::Irc.derive(&"é ".repeat(16), Dialect::Tmp, 12).chars().count(), 32);
        for name in ["#a", "a b", "a@b", ":x", "+x", "a.b"] {
            assert!(!Namespace::Irc.is_legal(name) && Namespace::Irc.is_legal(&derive(Namespace::Irc, name)));
        }
    }

    #[test]
    fn tmp_names_are_cut_between_utf16_units_of_different_characters() {
        let name = "🦀".repeat(11);
        assert_eq!(Namespace::Tmp.derive(&name, Dialect::Rooms, 1), "🦀".repeat(10));
        assert_eq!(Namespace::Tmp.derive(&name, Dialect::Rooms, 2), format!("{}2", "🦀".repeat(9)));
    }

    #[test]
    fn all_is_in_order_of_index() {
        for (index, space) in Namespace::ALL.into_iter().enumerate() {
            assert_eq!(space.index(), index);
        }
    }
}
