//! Which protocol a connection speaks, told by its first bytes: in every protocol that the server knows the
//! client speaks first.
//!
//! Each protocol is recognised by what it begins with ([`STARTS`] and [`FRAMED_STARTS`]). No beginning is the
//! beginning of another one, so the first that matches settles it, and as soon as none can match any more the
//! client speaks rooms, whose first message is free text. Three protocols begin with `REGISTER`; what follows on
//! the same line tells them apart. Nothing here waits: a timer never decides.
//!
//! | first bytes | verdict |
//! |---|---|
//! | `\x16\x03` | TLS |
//! | `GET `, `POST `, … | HTTP |
//! | `REGISTER TOSEND` or `REGISTER TORECV`, then a space or the end of the line | messenger |
//! | 2 bytes of length, then `REGISTER TO` | messenger, framed |
//! | a line that is `REGISTER`, `BRIDGE`, `CHAT`, `PROBE`, `QUIT`, `UNREGISTER` or `INFO` and no more | bridge |
//! | `CAP `, `NICK `, `USER `, `PASS `, `AUTHENTICATE `, `PING `, `@`, `:`; `REGISTER ` before anything else | irc |
//! | `{`; or a lone `1` and then `{` (some clients send it before every object) | muca |
//! | 4 bytes of length, then `{` | muca, framed |
//! | anything else | rooms, which refuses what isn't `NAME_ROOM` |

use hub::Dialect;

/// What the bytes so far say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Undecided,
    /// One of the chat protocols.
    Dialect(Dialect),
    /// HTTP, which may turn out to be a WebSocket.
    Http,
    /// A TLS handshake.
    Tls,
}

const MESSENGER: Verdict = Verdict::Dialect(Dialect::Messenger);
const BRIDGE: Verdict = Verdict::Dialect(Dialect::Bridge);
const MUCA: Verdict = Verdict::Dialect(Dialect::Muca);
const IRC: Verdict = Verdict::Dialect(Dialect::Irc);

/// Beginnings that are plain text, and TLS's.
const STARTS: [(&[u8], Verdict); 40] = [
    (b"\x16\x03", Verdict::Tls),
    (b"GET ", Verdict::Http),
    (b"HEAD ", Verdict::Http),
    (b"POST ", Verdict::Http),
    (b"PUT ", Verdict::Http),
    (b"DELETE ", Verdict::Http),
    (b"OPTIONS ", Verdict::Http),
    (b"PATCH ", Verdict::Http),
    (b"CONNECT ", Verdict::Http),
    (b"TRACE ", Verdict::Http),
    (b"REGISTER TOSEND ", MESSENGER),
    (b"REGISTER TOSEND\r", MESSENGER),
    (b"REGISTER TOSEND\n", MESSENGER),
    (b"REGISTER TORECV ", MESSENGER),
    (b"REGISTER TORECV\r", MESSENGER),
    (b"REGISTER TORECV\n", MESSENGER),
    (b"REGISTER\n", BRIDGE),
    (b"REGISTER\r\n", BRIDGE),
    (b"BRIDGE\n", BRIDGE),
    (b"BRIDGE\r\n", BRIDGE),
    (b"CHAT\n", BRIDGE),
    (b"CHAT\r\n", BRIDGE),
    (b"PROBE\n", BRIDGE),
    (b"PROBE\r\n", BRIDGE),
    (b"QUIT\n", BRIDGE),
    (b"QUIT\r\n", BRIDGE),
    (b"UNREGISTER\n", BRIDGE),
    (b"UNREGISTER\r\n", BRIDGE),
    (b"INFO\n", BRIDGE),
    (b"INFO\r\n", BRIDGE),
    (b"{", MUCA),
    (b"1{", MUCA),
    (b"CAP ", IRC),
    (b"NICK ", IRC),
    (b"USER ", IRC),
    (b"PASS ", IRC),
    (b"AUTHENTICATE ", IRC),
    (b"PING ", IRC),
    (b"@", IRC),
    (b":", IRC),
];

/// What registers something that isn't a role of messenger's registers an account.
const REGISTER: &[u8] = b"REGISTER ";

/// Beginnings behind a length.
const FRAMED_STARTS: [Framed; 2] = [
    // No object has 16 MiB.
    Framed { length_bytes: 4, first_byte_max: 0, text: b"{", verdict: MUCA },
    // No registration has 1280 bytes, not even with keys in it.
    Framed { length_bytes: 2, first_byte_max: 4, text: b"REGISTER TO", verdict: MESSENGER },
];

struct Framed {
    /// How many bytes the length has, most significant first.
    length_bytes: usize,
    /// The largest first byte that can still be a length.
    first_byte_max: u8,
    /// What follows it.
    text: &'static [u8],
    verdict: Verdict,
}

/// What a TLS handshake begins with, and none of the others.
const TLS_FIRST: u8 = 0x16;

/// No beginning is longer.
const SEEN_MAX: usize = 16;

/// Takes a connection's first bytes until they tell its protocol. It keeps them, and never more than 16.
#[derive(Debug, Clone, Copy, Default)]
pub struct Detector {
    seen: [u8; SEEN_MAX],
    len: u8,
}

impl Detector {
    /// Looks at the next bytes. The verdict, once there is one, doesn't depend on how the bytes were cut.
    ///
    /// While undecided, the bytes are kept ([`Detector::seen`]). Those of the call that decides are not, because
    /// the caller has them.
    pub fn feed(&mut self, bytes: &[u8]) -> Verdict {
        let mut probe = *self;
        for byte in bytes {
            let verdict = probe.push(*byte);
            if verdict != Verdict::Undecided {
                return verdict;
            }
        }
        *self = probe;
        Verdict::Undecided
    }

    /// The same where only `dialect` is spoken: with or without TLS is all there is to find out.
    pub fn feed_pinned(&mut self, dialect: Dialect, bytes: &[u8]) -> Verdict {
        match self.feed(bytes) {
            Verdict::Tls => Verdict::Tls,
            Verdict::Undecided if self.seen() == [TLS_FIRST] => Verdict::Undecided,
            Verdict::Undecided | Verdict::Http | Verdict::Dialect(_) => Verdict::Dialect(dialect),
        }
    }

    /// The bytes that were fed while they did not decide anything.
    #[must_use]
    pub fn seen(&self) -> &[u8] {
        self.seen.get(..usize::from(self.len)).unwrap_or_default()
    }

    fn push(&mut self, byte: u8) -> Verdict {
        // A full buffer can't come about: by then either a beginning matched or none could.
        let Some(next) = self.seen.get_mut(usize::from(self.len)) else {
            return Verdict::Dialect(Dialect::Rooms);
        };
        *next = byte;
        self.len += 1;
        judge(self.seen())
    }
}

/// What a whole prefix says.
fn judge(seen: &[u8]) -> Verdict {
    let mut possible = false;
    for (start, verdict) in STARTS {
        if seen.starts_with(start) {
            return verdict;
        }
        possible |= start.starts_with(seen);
    }
    for framed in FRAMED_STARTS {
        if seen.first().is_some_and(|first| *first > framed.first_byte_max) {
            continue;
        }
        let text = seen.get(framed.length_bytes..).unwrap_or_default();
        if text.starts_with(framed.text) {
            return framed.verdict;
        }
        possible |= framed.text.starts_with(text);
    }
    match possible {
        true => Verdict::Undecided,
        false if seen.starts_with(REGISTER) => IRC,
        false => Verdict::Dialect(Dialect::Rooms),
    }
}

/// The checks that hold for any bytes, for the fuzzer and for tests: however they are cut, the verdict is the
/// same, and what an undecided detector keeps is what it was fed.
///
/// # Panics
/// If one of the checks fails.
#[doc(hidden)]
pub fn fuzz(data: &[u8]) {
    let whole = Detector::default().feed(data);
    let mut bytewise = Detector::default();
    let one_by_one = data
        .chunks(1)
        .map(|byte| bytewise.feed(byte))
        .find(|verdict| *verdict != Verdict::Undecided)
        .unwrap_or(Verdict::Undecided);
    assert_eq!(whole, one_by_one);
    let cut = data.first().map_or(0, |first| usize::from(*first) % data.len());
    let (head, tail) = data.split_at(cut);
    let mut detector = Detector::default();
    let mut verdict = detector.feed(head);
    if verdict == Verdict::Undecided {
        assert_eq!(detector.seen(), head);
        verdict = detector.feed(tail);
    }
    assert_eq!(verdict, whole);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn detect(bytes: &[u8]) -> Verdict {
        Detector::default().feed(bytes)
    }

    /// What decides each connection, with the byte that does it last.
    const TABLE: [(&[u8], Verdict); 40] = [
        (b"\x16\x03", Verdict::Tls),
        (b"GET ", Verdict::Http),
        (b"OPTIONS ", Verdict::Http),
        (b"REGISTER TOSEND ", MESSENGER),
        (b"REGISTER TORECV ", MESSENGER),
        (b"REGISTER TOSEND\n", MESSENGER),
        (b"\0\x17REGISTER TO", MESSENGER),
        (b"\x01\x17REGISTER TO", MESSENGER),
        (b"REGISTER\r\n", BRIDGE),
        (b"REGISTER\n", BRIDGE),
        (b"BRIDGE\r\n", BRIDGE),
        (b"CHAT\r\n", BRIDGE),
        (b"PROBE\r\n", BRIDGE),
        (b"QUIT\n", BRIDGE),
        (b"UNREGISTER\r\n", BRIDGE),
        (b"INFO\n", BRIDGE),
        (b"{", MUCA),
        (b"1{", MUCA),
        (b"\0\0\0\x33{", MUCA),
        (b"\0\x01RE{", MUCA),
        (b"b", Verdict::Dialect(Dialect::Rooms)),
        (b"CHATT", Verdict::Dialect(Dialect::Rooms)),
        (b"REGISTER_", Verdict::Dialect(Dialect::Rooms)),
        (b"REGISTER T_", IRC),
        (b"REGISTER *", IRC),
        (b"REGISTER TOSENDx", IRC),
        (b"CAP ", IRC),
        (b"NICK ", IRC),
        (b"USER ", IRC),
        (b"PASS ", IRC),
        (b"PING ", IRC),
        (b"@", IRC),
        (b":", IRC),
        (b"REGISTER\rx", Verdict::Dialect(Dialect::Rooms)),
        (b"GETT", Verdict::Dialect(Dialect::Rooms)),
        (b"QUIT ", Verdict::Dialect(Dialect::Rooms)),
        (b"11", Verdict::Dialect(Dialect::Rooms)),
        (b"\n", Verdict::Dialect(Dialect::Rooms)),
        (b"\x16\x04", Verdict::Dialect(Dialect::Rooms)),
        (b"\0\0\0\x33[", Verdict::Dialect(Dialect::Rooms)),
    ];

    #[test]
    fn the_shortest_prefix_that_settles_it_decides() {
        for (start, verdict) in TABLE {
            let mut detector = Detector::default();
            let (last, before) = start.split_last().unwrap();
            for byte in before {
                assert_eq!(detector.feed(&[*byte]), Verdict::Undecided, "{}", start.escape_ascii());
            }
            assert_eq!(detector.seen(), before);
            assert_eq!(detector.feed(&[*last]), verdict, "{}", start.escape_ascii());
        }
    }

    #[test]
    fn where_one_protocol_is_spoken_only_tls_is_told_apart() {
        const ROOMS: Verdict = Verdict::Dialect(Dialect::Rooms);
        let pinned = |parts: &[&[u8]]| {
            let mut detector = Detector::default();
            parts.iter().map(|part| detector.feed_pinned(Dialect::Rooms, part)).collect::<Vec<_>>()
        };
        assert_eq!(pinned(&[b"\x16\x03\x01"]), [Verdict::Tls]);
        assert_eq!(pinned(&[b"\x16", b"\x03"]), [Verdict::Undecided, Verdict::Tls]);
        assert_eq!(pinned(&[b"\x16", b"_den"]), [Verdict::Undecided, ROOMS]);
        for first in [&b"G"[..], b"GET / ", b"{", b"REGISTER TOSEND ", b"ana_den", b"\0"] {
            assert_eq!(pinned(&[first]), [ROOMS]);
        }
    }

    #[test]
    fn what_follows_changes_nothing() {
        for (start, verdict) in TABLE {
            for rest in ["\r\n", "_den", "{", "x", "REGISTER TOSEND bob\n\n"] {
                assert_eq!(detect(&[start, rest.as_bytes()].concat()), verdict, "{}", start.escape_ascii());
            }
        }
    }

    #[test]
    fn a_name_may_begin_like_a_keyword_or_be_one() {
        for first in
            ["CHATTY_den", "CHAT_den", "GET_den", "INFO_INFO", "1_1", "QUITE_den", "REGISTER_T", "NICK_den"]
        {
            assert_eq!(detect(first.as_bytes()), Verdict::Dialect(Dialect::Rooms), "{first}");
        }
    }

    #[test]
    fn no_beginning_is_the_beginning_of_another() {
        for (one, _) in STARTS {
            assert!(one.len() <= SEEN_MAX);
            let others = STARTS.iter().filter(|(other, _)| other.starts_with(one)).count();
            assert_eq!(others, 1, "{}", one.escape_ascii());
        }
        for framed in FRAMED_STARTS {
            assert!(framed.length_bytes + framed.text.len() <= SEEN_MAX);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_bytes_any_split(data in proptest::collection::vec(any::<u8>(), 0..40)) {
            fuzz(&data);
        }

        #[test]
        fn any_bytes_after_a_known_start(
            start in 0..TABLE.len(),
            keep in 0usize..20,
            data in "[A-Z_ {\r\n\0]{0,12}",
        ) {
            let start = TABLE[start].0;
            fuzz(&[&start[..keep.min(start.len())], data.as_bytes()].concat());
        }
    }
}
