//! How answers and events become bytes.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use hub::{Chunks, Dialect, Form, Namespace};
use proto::messenger::server::{FORWARD_OVERHEAD_BYTES, Voice, encode, encode_forward, modified_width};
use proto::messenger::{End, Framing, Layout, ServerFrame};

use crate::plain::Plain;
use crate::{form, text};

/// What a client's own messages show of how it wants to be written to. Kept as bits, because both of a client's
/// sessions have to know and the hub carries them as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Habits(u32);

impl Habits {
    /// Its bodies are followed by a line feed that is not counted.
    pub(super) const NEWLINE: Self = Self(1);
    /// It writes no empty line before a body.
    pub(super) const NO_EMPTY_LINE: Self = Self(2);
    /// It writes header and body on one line.
    pub(super) const ONE_LINE: Self = Self(4);
    const FRAMED: Self = Self(8);
    const ALL: u32 = 15;

    /// Both of these.
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// What a layout shows.
    pub(super) fn of(layout: Layout) -> Self {
        match layout {
            Layout::Lines => Self::default(),
            Layout::NoEmptyLine => Self::NO_EMPTY_LINE,
            Layout::OneLine => Self::ONE_LINE,
        }
    }

    /// As the hub carries them.
    pub(super) fn number(self) -> u32 {
        self.0
    }

    /// As they came from the hub.
    pub(super) fn from_number(number: u32) -> Self {
        Self(number & Self::ALL)
    }

    fn with(self, framing: Framing) -> Self {
        match framing {
            Framing::Bare => self,
            Framing::Utf => self.and(Self::FRAMED),
        }
    }

    fn voice(self) -> Voice {
        Voice {
            framing: if self.has(Self::FRAMED) { Framing::Utf } else { Framing::Bare },
            end: End::EmptyLine,
            layout: match (self.has(Self::ONE_LINE), self.has(Self::NO_EMPTY_LINE)) {
                (true, _) => Layout::OneLine,
                (false, true) => Layout::NoEmptyLine,
                (false, false) => Layout::Lines,
            },
            newline_after_body: self.has(Self::NEWLINE),
        }
    }
}

/// One answer.
pub(super) fn answer(frame: &ServerFrame, framing: Framing, end: End) -> Bytes {
    let mut out = BytesMut::new();
    encode(frame, Voice { framing, end, ..Voice::default() }, &mut out);
    out.freeze()
}

/// The form that such a client's FORWARDs have.
pub(super) fn form_of(habits: Habits, framing: Framing) -> Form {
    form(Dialect::Messenger, habits.with(framing).number())
}

/// A message as one FORWARD or, if it would have `bytes_max` bytes or more, as several. None if nothing is left
/// of it on one line without control characters: half of the clients take one line for the whole body, and their
/// users' terminals obey what is in it.
pub(super) fn forwards(plain: &Plain<'_>, habits: Habits, framing: Framing, bytes_max: usize) -> Chunks {
    let from = plain.from.wire_name(Namespace::Alphanumeric);
    let mut line = text::one_line(&plain.text);
    if line.contains('\t') {
        line = Cow::Owned(line.replace('\t', " "));
    }
    let width = match framing {
        Framing::Bare => char::len_utf8,
        Framing::Utf => modified_width,
    };
    // A frame's length has two bytes.
    let most = bytes_max.min(usize::from(u16::MAX)).saturating_sub(FORWARD_OVERHEAD_BYTES + from.len() + 1);
    let voice = habits.with(framing).voice();
    text::split(&line, most, width)
        .map(|piece| {
            let mut out = BytesMut::new();
            encode_forward(from, piece, voice, &mut out);
            out.freeze()
        })
        .collect()
}
