//! Mode letters: what they mean, and how changes are read and written (modern.ircdocs.horse, "Modes").

use hub::{Change, MaskList, Ranks, RoomFlags, RoomModes, UserFlags, WantedChange};

use super::wire;

/// The letters of flags, ascending as they are shown.
pub(super) const FLAGS: [(char, RoomFlags); 8] = [
    ('C', RoomFlags::NO_CTCP),
    ('M', RoomFlags::ACCOUNTS_SPEAK),
    ('R', RoomFlags::ACCOUNTS_ONLY),
    ('i', RoomFlags::INVITE_ONLY),
    ('m', RoomFlags::MODERATED),
    ('n', RoomFlags::NO_EXTERNAL),
    ('s', RoomFlags::SECRET),
    ('t', RoomFlags::TOPIC_LOCKED),
];

/// The letters and marks of ranks, the highest first.
pub(super) const RANKS: [(char, char, Ranks); 5] = [
    ('q', '~', Ranks::FOUNDER),
    ('a', '&', Ranks::ADMIN),
    ('o', '@', Ranks::OPERATOR),
    ('h', '%', Ranks::HALF_OPERATOR),
    ('v', '+', Ranks::VOICE),
];

/// The letters of lists.
const LISTS: [(char, MaskList); 3] =
    [('b', MaskList::Bans), ('e', MaskList::BanExceptions), ('I', MaskList::InviteExceptions)];

/// The letters of users' flags, ascending.
pub(super) const USER_FLAGS: [(char, UserFlags); 5] = [
    ('B', UserFlags::BOT),
    ('R', UserFlags::ACCOUNTS_ONLY),
    ('i', UserFlags::INVISIBLE),
    ('o', UserFlags::OPERATOR),
    ('w', UserFlags::WALLOPS),
];

/// As ISUPPORT says it: lists; always with a parameter; with one when set; without.
pub(super) const CHANMODES: &str = "beI,k,lS,CMRimnst";
/// All letters of rooms.
pub(super) const ROOM_LETTERS: &str = "CIMRSabehiklmnoqstv";
/// Those of them that take parameters.
pub(super) const ROOM_LETTERS_WITH_PARAM: &str = "ISabehkloqv";
/// All letters of users.
pub(super) const USER_LETTERS: &str = "BRiow";
/// The ranks, as ISUPPORT says them.
pub(super) const PREFIX: &str = "(qaohv)~&@%+";
/// Their marks.
pub(super) const MARKS: &str = "~&@%+";
/// How many changes with parameters one MODE line may have, and how many go out on one.
pub(super) const CHANGES_MAX: usize = 20;
/// How long the parameters of a MODE line that goes out may be, in bytes.
const PARAMS_BYTES_MAX: usize = 300;

/// The letters and marks of ranks, the highest first.
pub(super) fn prefixes(ranks: Ranks) -> impl Iterator<Item = (char, char)> {
    RANKS.iter().filter(move |(_, _, rank)| ranks.contains(*rank)).map(|(letter, mark, _)| (*letter, *mark))
}

/// The rank of a mark.
pub(super) fn rank_of_mark(mark: char) -> Option<Ranks> {
    RANKS.iter().find(|(_, known, _)| *known == mark).map(|(_, _, rank)| *rank)
}

pub(super) fn flag_letter(flag: RoomFlags) -> char {
    FLAGS.iter().find(|(_, known)| *known == flag).map_or('?', |(letter, _)| *letter)
}

pub(super) fn rank_letter(rank: Ranks) -> char {
    RANKS.iter().find(|(_, _, known)| *known == rank).map_or('?', |(letter, _, _)| *letter)
}

pub(super) fn list_letter(list: MaskList) -> char {
    LISTS.iter().find(|(_, known)| *known == list).map_or('?', |(letter, _)| *letter)
}

/// A room's settings as RPL_CHANNELMODEIS has them: letters, then parameters.
pub(super) fn of_room(modes: &RoomModes) -> (String, Vec<String>) {
    let mut letters = format!("+{}", wire::flag_letters(modes.flags));
    let mut params = Vec::new();
    let slow_s = modes.slow_s.map(|slow_s| slow_s.to_string());
    let limit = modes.limit.map(|limit| limit.to_string());
    let key = modes.key.as_deref().map(str::to_owned);
    for (letter, value) in [('S', slow_s), ('k', key), ('l', limit)] {
        if let Some(value) = value {
            letters.push(letter);
            params.push(value);
        }
    }
    (letters, params)
}

/// A user's flags as RPL_UMODEIS has them.
pub(super) fn of_user(flags: UserFlags) -> String {
    let letters = USER_FLAGS.iter().filter(|(_, flag)| flags.contains(*flag)).map(|(letter, _)| *letter);
    std::iter::once('+').chain(letters).collect()
}

/// What a client's MODE asks for, letter by letter.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A change.
    Change(char, WantedChange),
    /// To see a list.
    See(MaskList),
    /// A letter that needs a parameter stands without one.
    NoParam(char),
    /// A parameter that can't be understood.
    BadParam(char, String, &'static str),
    /// A letter that means nothing.
    Unknown(char),
}

/// Reads mode letters and their parameters.
pub(super) fn read(letters: &str, params: &[&str]) -> Vec<Wanted> {
    let mut params = params.iter().copied();
    let mut on = true;
    let mut wanted = Vec::new();
    for letter in letters.chars() {
        match letter {
            '+' => on = true,
            '-' => on = false,
            letter => wanted.push(read_one(letter, on, &mut params)),
        }
    }
    wanted
}

fn read_one<'p>(letter: char, on: bool, params: &mut impl Iterator<Item = &'p str>) -> Wanted {
    let change = |change| Wanted::Change(letter, change);
    if let Some((_, flag)) = FLAGS.iter().find(|(known, _)| *known == letter) {
        return change(WantedChange::Flags(*flag, on));
    }
    if let Some((_, list)) = LISTS.iter().find(|(known, _)| *known == letter) {
        return match params.next().filter(|mask| !mask.is_empty()) {
            Some(mask) => change(WantedChange::Mask { list: *list, mask: mask.to_owned(), added: on }),
            None => Wanted::See(*list),
        };
    }
    if let Some((_, _, rank)) = RANKS.iter().find(|(known, _, _)| *known == letter) {
        return match params.next().filter(|whom| !whom.is_empty()) {
            Some(whom) => change(WantedChange::Rank { rank: *rank, whom: whom.to_owned(), given: on }),
            None => Wanted::NoParam(letter),
        };
    }
    match (letter, on) {
        ('k', true) => match params.next() {
            Some(key) => change(WantedChange::Key(Some(key.to_owned()))),
            None => Wanted::NoParam(letter),
        },
        ('k', false) => {
            // Whatever is given; some clients give none.
            params.next();
            change(WantedChange::Key(None))
        }
        ('l', true) | ('S', true) => match params.next() {
            Some(number) => match number.parse() {
                Ok(number) if letter == 'l' => change(WantedChange::Limit(Some(number))),
                Ok(number) => change(WantedChange::Slow(Some(number))),
                Err(_) => Wanted::BadParam(letter, number.to_owned(), "it is not a number"),
            },
            None => Wanted::NoParam(letter),
        },
        ('l', false) => change(WantedChange::Limit(None)),
        ('S', false) => change(WantedChange::Slow(None)),
        (letter, _) => Wanted::Unknown(letter),
    }
}

/// Changes as they are written, in as many lines as it takes: letters with signs, and their parameters.
pub(super) fn written(changes: &[Change]) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    let (mut letters, mut params, mut sign, mut bytes) = (String::new(), Vec::new(), None, 0);
    for change in changes {
        let (on, letter, param) = wire::change(change);
        let size = param.as_deref().map_or(0, str::len);
        if params.len() == CHANGES_MAX || (bytes + size > PARAMS_BYTES_MAX && !params.is_empty()) {
            all.push((std::mem::take(&mut letters), std::mem::take(&mut params)));
            (sign, bytes) = (None, 0);
        }
        if sign != Some(on) {
            letters.push(if on { '+' } else { '-' });
            sign = Some(on);
        }
        letters.push(letter);
        bytes += size;
        params.extend(param);
    }
    all.push((letters, params));
    all
}

/// Reads a user's MODE: what to set, what to unset, and whether a letter means nothing.
pub(super) fn read_user(letters: &str) -> (UserFlags, UserFlags, bool) {
    let (mut on, mut off, mut unknown, mut adding) = (UserFlags::empty(), UserFlags::empty(), false, true);
    for letter in letters.chars() {
        match (letter, USER_FLAGS.iter().find(|(known, _)| *known == letter)) {
            ('+', _) => adding = true,
            ('-', _) => adding = false,
            (_, Some((_, flag))) => {
                on.set(*flag, adding);
                off.set(*flag, !adding);
            }
            (_, None) => unknown = true,
        }
    }
    (on, off, unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_take_their_parameters() {
        let wanted = read("+ntk-l+ov", &["key", "ana", "bob"]);
        assert_eq!(wanted.len(), 6);
        assert_eq!(wanted[2], Wanted::Change('k', WantedChange::Key(Some("key".into()))));
        assert_eq!(wanted[3], Wanted::Change('l', WantedChange::Limit(None)));
        let Wanted::Change('v', WantedChange::Rank { whom, .. }) = &wanted[5] else { panic!() };
        assert_eq!(whom, "bob");
        assert_eq!(read("b", &[]), [Wanted::See(MaskList::Bans)]);
        assert_eq!(read("+o", &[]), [Wanted::NoParam('o')]);
        assert_eq!(read("x", &[]), [Wanted::Unknown('x')]);
        assert_eq!(read("+l", &["x"]), [Wanted::BadParam('l', "x".into(), "it is not a number")]);
    }

    #[test]
    fn changes_are_written_with_few_signs() {
        let changes = [
            Change::Flags(RoomFlags::MODERATED, true),
            Change::Limit(Some(5)),
            Change::Limit(None),
            Change::Key(None),
        ];
        assert_eq!(written(&changes), [("+ml-lk".to_owned(), vec!["5".to_owned(), "*".to_owned()])]);
        let many: Vec<_> = (0..25).map(|limit| Change::Limit(Some(limit))).collect();
        assert_eq!(written(&many).iter().map(|(_, params)| params.len()).collect::<Vec<_>>(), [20, 5]);
    }

    #[test]
    fn the_letters_are_those_of_the_tables() {
        let mut letters: Vec<_> =
            CHANMODES.chars().filter(|c| *c != ',').chain(RANKS.map(|(c, _, _)| c)).collect();
        letters.sort_unstable();
        assert_eq!(letters.into_iter().collect::<String>(), ROOM_LETTERS);
        assert_eq!(USER_FLAGS.map(|(c, _)| c).iter().collect::<String>(), USER_LETTERS);
        assert_eq!(PREFIX, format!("({}){MARKS}", RANKS.map(|(c, _, _)| c).iter().collect::<String>()));
        assert_eq!(RANKS.map(|(_, mark, _)| mark).iter().collect::<String>(), MARKS);
    }
}
