//! What sessions ask about people and rooms, and what they are told.

use std::net::IpAddr;
use std::sync::Arc;

use crate::{Card, MaskEntry, MaskList, Ranks, RoomCard, RoomModes, Topic, UserFlags};

/// A question about people or rooms. Names are as the session's dialect writes them.
#[derive(Debug)]
pub enum Query {
    /// What is set on a room. Answered by [`Answer::Room`].
    Room(String),
    /// Who is in a room. Answered by [`Answer::Members`].
    Members(String),
    /// A room's list. Answered by [`Answer::Masks`].
    Masks(String, MaskList),
    /// Which rooms there are. Answered by [`Answer::Rooms`].
    Rooms(Box<RoomFilter>),
    /// People whose name, user name, host, real name or account matches a mask. Answered by [`Answer::People`].
    People {
        /// With `*` and `?`.
        mask: String,
        /// Only server operators.
        operators: bool,
    },
    /// The people of a room, with all that is known of them. Answered by [`Answer::People`].
    PeopleOf {
        /// Which room.
        room: String,
        /// Only server operators.
        operators: bool,
    },
    /// People by name. Answered by [`Answer::Persons`].
    Persons(Vec<String>),
    /// One person, and its rooms. Answered by [`Answer::Person`].
    Person(String),
    /// Who had a name before. Answered by [`Answer::Former`].
    Former {
        /// The name.
        name: String,
        /// At most so many; zero: all that are remembered.
        count: usize,
    },
    /// How many there are of everything. Answered by [`Answer::Census`].
    Census,
    /// Whom the session watches. Answered by [`Answer::Watching`].
    Watching,
    /// The user's own flags. Answered by [`Answer::Flags`].
    Flags,
}

/// Which rooms somebody wants to see. What is `None` doesn't matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomFilter {
    /// Of these names or patterns, as the session's dialect writes them; none: all.
    pub names: Vec<String>,
    /// Not of these patterns.
    pub not_names: Vec<String>,
    /// With more members than this.
    pub members_above: Option<usize>,
    /// With fewer members than this.
    pub members_below: Option<usize>,
    /// Made before: milliseconds since 1970.
    pub made_before_ms: Option<u64>,
    /// Made after.
    pub made_after_ms: Option<u64>,
    /// Topic set before.
    pub topic_before_ms: Option<u64>,
    /// Topic set after.
    pub topic_after_ms: Option<u64>,
}

/// What the hub knows.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A room.
    Room(Box<RoomInfo>),
    /// Who is in a room, in order of arrival on the hub.
    Members {
        /// Which.
        room: Arc<RoomCard>,
        /// Whether only its members may know that it exists.
        secret: bool,
        /// Who.
        members: Vec<Member>,
    },
    /// A room's list.
    Masks {
        /// Which room.
        room: Arc<RoomCard>,
        /// Which list.
        list: MaskList,
        /// Its masks.
        masks: Vec<MaskEntry>,
    },
    /// Rooms.
    Rooms(Vec<RoomInfo>),
    /// People, with the room they were looked up in if they were.
    People(Vec<(Person, Option<Arc<RoomCard>>)>),
    /// The people of those names that are here, in the order asked.
    Persons(Vec<Person>),
    /// A person and its rooms, as far as who asks may know of them.
    Person(Box<Person>, Vec<Place>),
    /// Who had a name before, latest first.
    Former(Vec<Former>),
    /// How many there are of everything.
    Census(Census),
    /// Whom the session watches.
    Watching(Vec<String>),
    /// The user's own flags.
    Flags(UserFlags),
}

/// A room that a person is in, and its ranks there.
pub type Place = (Arc<RoomCard>, Ranks);

/// A room, as somebody who may know of it sees it.
#[derive(Debug, Clone)]
pub struct RoomInfo {
    /// Its public face.
    pub card: Arc<RoomCard>,
    /// What it is about.
    pub topic: Option<Topic>,
    /// Its settings; the key only for members.
    pub modes: RoomModes,
    /// When it was made: milliseconds since 1970.
    pub made_ms: u64,
    /// How many members it has.
    pub members: usize,
    /// Up to when who asks has read what was said there: milliseconds since 1970.
    pub read_ms: Option<u64>,
}

/// A member of a room.
#[derive(Debug, Clone)]
pub struct Member {
    /// Who.
    pub card: Arc<Card>,
    /// Its ranks there.
    pub ranks: Ranks,
}

/// A person, as somebody who may know of it sees it.
#[derive(Debug, Clone)]
pub struct Person {
    /// Its public face.
    pub card: Arc<Card>,
    /// Its message to those who look for it, if it is away.
    pub away: Option<Arc<str>>,
    /// Its flags.
    pub flags: UserFlags,
    /// Its ranks in the room that it was looked up in.
    pub ranks: Ranks,
    /// Its real address, for who may know it: itself and operators.
    pub address: Option<IpAddr>,
    /// Whether all its connections are safe from being read.
    pub secure: bool,
    /// When it came: milliseconds since 1970.
    pub since_ms: u64,
    /// How long it has said nothing, in seconds.
    pub idle_s: u64,
    /// Whether it is who asks.
    pub is_asking: bool,
}

/// Somebody who was here.
#[derive(Debug, Clone)]
pub struct Former {
    /// Its last public face under the name.
    pub card: Arc<Card>,
    /// When it left or took another name: milliseconds since 1970.
    pub left_ms: u64,
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Present users.
    pub users: usize,
    /// Those of them who are invisible.
    pub invisible: usize,
    /// Those of them who are server operators.
    pub operators: usize,
    /// Sessions that aren't logged in.
    pub unknown: usize,
    /// Rooms.
    pub rooms: usize,
    /// The most users that were present at once.
    pub users_most: usize,
}
