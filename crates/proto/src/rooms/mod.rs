//! rooms: plain text after a first message `NAME_ROOM` (`docs/protocols/rooms.md`).
