//! Canonical names and the key under which two names are the same.

mod directory;
mod wire;

use std::borrow::Borrow;
use std::fmt;
use std::sync::{Arc, LazyLock};

use precis_profiles::Nickname;
use precis_profiles::precis_core::profile::Rules;
use smol_str::SmolStr;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::Refusal;

pub(crate) use directory::{Directory, WireNames};
pub use wire::{Dialect, Namespace};

/// The longest canonical name, in characters.
pub const NAME_CHARS_MAX: usize = 32;
/// The longest room name, in characters.
pub const ROOM_CHARS_MAX: usize = 64;

/// A user's one canonical name: trimmed, NFC, inner white space folded to one space, 1 to 32 characters, no
/// control characters, not the word `ALL`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name(Arc<str>);

impl Name {
    /// Brings what a client sent into canonical form.
    ///
    /// # Errors
    /// [`Refusal::NameMalformed`].
    pub fn new(wanted: &str) -> Result<Self, Refusal> {
        let malformed = |rule| Refusal::NameMalformed { name: wanted.chars().take(64).collect(), rule };
        let name = canonical(wanted, NAME_CHARS_MAX).map_err(malformed)?;
        if name.eq_ignore_ascii_case("all") {
            return Err(malformed("ALL means everybody"));
        }
        Ok(Self(name.into()))
    }

    /// A name that was checked when it was taken.
    #[must_use]
    pub fn kept(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A room's canonical name: as [`Name`], but up to 64 characters, and `ALL` is a name like any other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoomName(Arc<str>);

impl RoomName {
    /// Brings what a client sent into canonical form.
    ///
    /// # Errors
    /// [`Refusal::RoomMalformed`].
    pub fn new(wanted: &str) -> Result<Self, Refusal> {
        canonical(wanted, ROOM_CHARS_MAX)
            .map(|name| Self(name.into()))
            .map_err(|rule| Refusal::RoomMalformed { name: wanted.chars().take(64).collect(), rule })
    }

    /// A name that was checked when it was taken.
    #[must_use]
    pub fn kept(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is left of a name when everything is taken away that people don't see: case (PRECIS, RFC 8266), width
/// and composition, and the difference between characters that look alike (Unicode TS 39). Two names with one
/// key are one name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key(SmolStr);

/// Keys are ordered as their texts are.
impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Key {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// A key that was kept.
    pub(crate) fn kept(key: &str) -> Self {
        Self(key.into())
    }

    pub(crate) fn of(name: &str) -> Self {
        Self::lend(name, |key| Self(key.into()))
    }

    /// Lends the key of a name, for looking something up: nearly always that takes no memory.
    pub(crate) fn lend<T>(name: &str, look_up: impl FnOnce(&str) -> T) -> T {
        // Nearly all names are ASCII without spaces. Those characters don't depend on each other.
        let pairs = &*PAIRS;
        let (mut key, mut len) = ([0; 2 * ROOM_CHARS_MAX], 0);
        let fits = name.bytes().all(|byte| {
            let Some(&pair @ [first, second]) = pairs.get(usize::from(byte)) else { return false };
            let Some(place) = key.get_mut(len..len + 2) else { return false };
            place.copy_from_slice(&pair);
            len += 1 + usize::from(second != 0);
            first != 0
        });
        match std::str::from_utf8(key.get(..len).unwrap_or_default()) {
            Ok(key) if fits => look_up(key),
            _ => look_up(Self::of_any(name).as_str()),
        }
    }

    fn of_any(name: &str) -> Self {
        let profile = Nickname::new();
        // A name that PRECIS refuses is never registered; for a look-up any key will do, as long as it is
        // the same each time.
        let folded = profile
            .additional_mapping_rule(name)
            .and_then(|name| profile.case_mapping_rule(name))
            .and_then(|name| profile.normalization_rule(name))
            .map_or_else(|_| name.to_lowercase(), std::borrow::Cow::into_owned);
        Self(unicode_security::skeleton(&folded).collect())
    }
}

/// The key of each ASCII character that may stand in a name without spaces, as one byte or two; zeros: it has no such.
static PAIRS: LazyLock<[[u8; 2]; 128]> = LazyLock::new(|| {
    std::array::from_fn(|byte| {
        let char = char::from(byte as u8);
        match Key::of_any(char.encode_utf8(&mut [0; 4])).0.as_bytes() {
            _ if !char.is_ascii_graphic() => [0; 2],
            [one] => [*one, 0],
            [one, other] => [*one, *other],
            _ => [0; 2],
        }
    })
});

/// Whether a character can't be seen, or is none.
pub(crate) fn is_invisible(c: char) -> bool {
    match c.is_ascii() {
        true => c.is_ascii_control(),
        false => c.general_category_group() == GeneralCategoryGroup::Other,
    }
}

fn canonical(wanted: &str, chars_max: usize) -> Result<String, &'static str> {
    let mut name = String::with_capacity(wanted.len());
    for word in wanted.split_whitespace() {
        if !name.is_empty() {
            name.push(' ');
        }
        // ASCII is composed already.
        if word.is_ascii() { name.push_str(word) } else { name.extend(word.nfc()) }
    }
    if name.is_empty() {
        return Err("it is empty");
    }
    if name.chars().count() > chars_max {
        return Err(if chars_max == NAME_CHARS_MAX {
            "more than 32 characters"
        } else {
            "more than 64 characters"
        });
    }
    if name.chars().any(char::is_control) {
        return Err("control characters are not allowed");
    }
    // Invisible characters can turn text around or hide in a name that looks like another. (PRECIS would see to
    // this too, but its table is that of Unicode 6.3 and refuses every newer letter and emoji.)
    if name.chars().any(is_invisible) {
        return Err("it has an invisible or unassigned character");
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_composed_and_single_spaced() {
        assert_eq!(Name::new("  Ana \t\u{a0} Mari\u{301}a ").unwrap().as_str(), "Ana Mar\u{ed}a");
        assert_eq!(Name::new(&"x".repeat(32)).unwrap().as_str().len(), 32);
        assert_eq!(Name::new("bob🦀").unwrap().as_str(), "bob🦀");
    }

    #[test]
    fn what_is_no_name() {
        for wanted in ["", " ", "ALL", "all", "a\u{1b}b", "a\0b", &"x".repeat(33), "a\u{200b}b", "a\u{202e}b"]
        {
            assert!(matches!(Name::new(wanted), Err(Refusal::NameMalformed { .. })), "{wanted:?}");
        }
        assert!(RoomName::new("ALL").is_ok());
    }

    #[test]
    fn plain_names_have_the_same_key_either_way() {
        let plain = || (0x21..0x7f).map(char::from);
        for one in plain() {
            for other in plain() {
                for name in [format!("{one}"), format!("{one}{other}"), format!("x{other}{one}Y{other}")] {
                    assert_eq!(Key::of(&name), Key::of_any(&name), "{name}");
                    Key::lend(&name, |key| assert_eq!(key, Key::of_any(&name).as_str()));
                }
            }
        }
        assert_eq!(Key::of(""), Key::of_any(""));
        for name in ["", "a b", "José", &"m".repeat(100)] {
            Key::lend(name, |key| assert_eq!(key, Key::of(name).as_str()));
        }
    }

    #[test]
    fn names_that_people_would_confuse_have_one_key() {
        for (one, other) in [
            ("Bob", "bOB"),
            ("paypal", "p\u{430}ypal"),
            ("Ａna", "ana"),
            ("ana", " ANA "),
            ("Straße", "STRAßE"),
        ] {
            assert_eq!(Key::of(one), Key::of(other), "{one} {other}");
        }
        for (one, other) in [("ana", "anna"), ("user1", "user2"), ("José", "Jose")] {
            assert_ne!(Key::of(one), Key::of(other), "{one} {other}");
        }
    }
}
