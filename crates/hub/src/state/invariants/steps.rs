//! The calls.

use proptest::prelude::*;

use crate::{Dialect, Leg, MaskList, Ranks, RoomFlags, Verdict, WantedChange};

/// A random call.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Open(u8, Dialect),
    Close(u8),
    Login { session: u8, name: u8, leg: Leg, room: u8 },
    SayRoom(u8),
    SayUser { session: u8, name: u8 },
    Receipt { session: u8, verdict: Verdict },
    Leave(u8),
    Register { session: u8, name: u8 },
    Bridge { session: u8, name: u8 },
    Attach { session: u8, name: u8 },
    Forget { session: u8, name: u8 },
    Answer { session: u8 },
    Join { session: u8, room: u8 },
    Part { session: u8, room: u8 },
    Kick { session: u8, room: u8, name: u8 },
    Modes { session: u8, room: u8, change: u8, name: u8 },
    Rename { session: u8, name: u8 },
    RenameRoom { session: u8, room: u8, to: u8 },
    Watch { session: u8, name: u8, off: bool },
    Away(u8),
    Broadcast,
    EndNamed(u8),
    EndFrom(u8),
    CloseRoom(u8),
    Service { session: u8, words: u8, about: u8 },
    LogIn { session: u8, name: u8 },
    LogOut(u8),
    Checked { right: bool },
    RemoveAccount(u8),
    Unanswered,
    Pass(u16),
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let session = || 0u8..12;
    let name = || 0u8..6;
    // Few names for bridge clients, so that they meet.
    let client = || 0u8..3;
    let dialect = prop::sample::select(Dialect::ALL.to_vec());
    let leg = prop::sample::select(vec![Leg::Both, Leg::Send, Leg::Receive]);
    let verdict = prop::sample::select(vec![Verdict::Received, Verdict::Rejected]);
    prop_oneof![
        4 => (session(), dialect).prop_map(|(session, dialect)| Step::Open(session, dialect)),
        1 => session().prop_map(Step::Close),
        6 => (session(), name(), leg, 0u8..3)
            .prop_map(|(session, name, leg, room)| Step::Login { session, name, leg, room }),
        3 => session().prop_map(Step::SayRoom),
        4 => (session(), name()).prop_map(|(session, name)| Step::SayUser { session, name }),
        3 => (session(), verdict).prop_map(|(session, verdict)| Step::Receipt { session, verdict }),
        1 => session().prop_map(Step::Leave),
        4 => (session(), client()).prop_map(|(session, name)| Step::Register { session, name }),
        6 => (session(), client()).prop_map(|(session, name)| Step::Bridge { session, name }),
        1 => (session(), client()).prop_map(|(session, name)| Step::Attach { session, name }),
        1 => (session(), client()).prop_map(|(session, name)| Step::Forget { session, name }),
        2 => session().prop_map(|session| Step::Answer { session }),
        6 => (session(), 0u8..4).prop_map(|(session, room)| Step::Join { session, room }),
        2 => (session(), 0u8..4).prop_map(|(session, room)| Step::Part { session, room }),
        2 => (session(), 0u8..4, name()).prop_map(|(session, room, name)| Step::Kick { session, room, name }),
        3 => (session(), 0u8..4, 0u8..9, name())
            .prop_map(|(session, room, change, name)| Step::Modes { session, room, change, name }),
        3 => (session(), name()).prop_map(|(session, name)| Step::Rename { session, name }),
        1 => (session(), 0u8..4, 0u8..4).prop_map(|(session, room, to)| Step::RenameRoom { session, room, to }),
        1 => (session(), name(), any::<bool>())
            .prop_map(|(session, name, off)| Step::Watch { session, name, off }),
        1 => session().prop_map(Step::Away),
        2 => Just(Step::Broadcast),
        1 => name().prop_map(Step::EndNamed),
        1 => (0u8..2).prop_map(Step::EndFrom),
        1 => (0u8..4).prop_map(Step::CloseRoom),
        1 => Just(Step::Unanswered),
        1 => (0u16..2000).prop_map(Step::Pass),
    ]
}

/// Few people with accounts, so that they become each other's devices.
pub(super) fn step_of_accounts() -> impl Strategy<Value = Step> {
    let session = || 0u8..4;
    let name = || 0u8..2;
    prop_oneof![
        3 => session().prop_map(|session| Step::Open(session, Dialect::Irc)),
        1 => session().prop_map(Step::Close),
        4 => (session(), name())
            .prop_map(|(session, name)| Step::Login { session, name, leg: Leg::Both, room: 2 }),
        8 => (session(), 0u8..SERVICE_WORDS, name())
            .prop_map(|(session, words, about)| Step::Service { session, words, about }),
        3 => (session(), name()).prop_map(|(session, name)| Step::LogIn { session, name }),
        1 => session().prop_map(Step::LogOut),
        8 => prop::bool::weighted(0.8).prop_map(|right| Step::Checked { right }),
        4 => (session(), 0u8..2).prop_map(|(session, room)| Step::Join { session, room }),
        1 => (session(), 0u8..2).prop_map(|(session, room)| Step::Part { session, room }),
        1 => (session(), 0u8..4).prop_map(|(session, name)| Step::Rename { session, name }),
        1 => (session(), 0u8..2, 3u8..5, name())
            .prop_map(|(session, room, change, name)| Step::Modes { session, room, change, name }),
        1 => step(),
    ]
}

pub(super) fn name(name: u8) -> String {
    ["ana", "bob", "Ana María", "AnaMaria", "snake_case", "bob2"][usize::from(name)].to_owned()
}

pub(super) fn room_name(room: u8) -> String {
    ["room0", "room1", "a room", "a_room"][usize::from(room)].to_owned()
}

pub(super) fn address_of(session: u8) -> &'static str {
    if session.is_multiple_of(2) { "127.0.0.1" } else { "198.51.100.7" }
}

const SERVICE_WORDS: u8 = 8;

/// Something that a service understands, and which.
pub(super) fn service_words(words: u8, about: u8) -> (&'static str, String) {
    let room = room_name(about % 2);
    match words {
        0 => ("NickServ", "REGISTER secret1".to_owned()),
        1 => ("NickServ", "ALWAYSON ON".to_owned()),
        2 => ("NickServ", "ALWAYSON OFF".to_owned()),
        3 => ("NickServ", format!("DROP {}", name(about))),
        4 => ("NickServ", "PASSWORD secret2".to_owned()),
        5 => ("ChanServ", format!("REGISTER {room}")),
        6 => ("ChanServ", format!("TRANSFER {room} {}", name(about))),
        _ => ("ChanServ", format!("DROP {room}")),
    }
}

pub(super) fn wanted(change: u8, whom: String) -> WantedChange {
    match change {
        0 => WantedChange::Flags(RoomFlags::SECRET, true),
        1 => WantedChange::Flags(RoomFlags::INVITE_ONLY, true),
        2 => WantedChange::Flags(RoomFlags::INVITE_ONLY, false),
        3 => WantedChange::Rank { rank: Ranks::OPERATOR, whom, given: true },
        4 => WantedChange::Rank { rank: Ranks::VOICE, whom, given: false },
        5 => WantedChange::Limit(Some(2)),
        6 => WantedChange::Slow(Some(1)),
        7 => WantedChange::Mask { list: MaskList::Bans, mask: whom.replace(' ', "?"), added: true },
        _ => WantedChange::Mask { list: MaskList::Bans, mask: whom.replace(' ', "?"), added: false },
    }
}
