//! The little IRC that there is: words of a line, and what newcomers are told.

/// The first word, and what comes after it and a space.
pub(crate) fn word(line: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b' ', line) {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (line, b""),
    }
}

/// The last parameter, without the mark that says it may have spaces.
pub(crate) fn trailing(rest: &[u8]) -> &[u8] {
    rest.strip_prefix(b":").unwrap_or(rest)
}

/// Fills in `text`'s gaps, one after the other.
pub(crate) fn write(out: &mut Vec<u8>, text: &str, gaps: &[&[u8]]) {
    let mut gaps = gaps.iter();
    for (index, piece) in text.split("{}").enumerate() {
        if index > 0 {
            out.extend_from_slice(gaps.next().copied().unwrap_or_default());
        }
        out.extend_from_slice(piece.as_bytes());
    }
}

/// What the members of a room, or one person, are told: the sender and what it said.
pub(crate) fn write_message(out: &mut Vec<u8>, source: &[u8], line: &[u8]) {
    out.extend_from_slice(source);
    out.extend_from_slice(line);
    out.extend_from_slice(b"\r\n");
}

/// Tells a newcomer what Polylogue tells it, as many bytes.
pub(crate) fn write_welcome(out: &mut Vec<u8>, nick: &[u8], source: &[u8]) {
    let hostmask = source.get(1..source.len() - 1).unwrap_or_default();
    write(out, ":polylogue.local 001 {} :Welcome to the Polylogue IRC Network {}\r\n", &[nick, hostmask]);
    for line in WELCOME {
        write(out, ":polylogue.local {} {} {}\r\n", &[line.0.as_bytes(), nick, line.1.as_bytes()]);
    }
}

/// What comes after 001.
const WELCOME: &[(&str, &str)] = &[
    ("002", ":Your host is polylogue.local, running version polylogue-0.1.0"),
    ("003", ":This server was started 2000-01-01T00:00:00.000Z"),
    ("004", "polylogue.local polylogue-0.1.0 BRiow CIMRSabehiklmnoqstv ISabehkloqv"),
    (
        "005",
        "AWAYLEN=390 BOT=B CASEMAPPING=ascii CHANLIMIT=#:100 CHANMODES=beI,k,lS,CMRimnst CHANNELLEN=65 \
         CHANTYPES=# ELIST=CMNTU EXCEPTS=e EXTBAN=~,am HOSTLEN=64 INVEX=I KEYLEN=64 \
         :are supported by this server",
    ),
    (
        "005",
        "KICKLEN=390 LINELEN=512 MAXLIST=beI:100 MAXTARGETS=10 MODES=20 MONITOR=100 NAMELEN=390 \
         NETWORK=Polylogue NICKLEN=32 PREFIX=(qaohv)~&@%+ STATUSMSG=~&@%+ \
         TARGMAX=JOIN:,KICK:,LIST:,MONITOR:,NAMES:1,NOTICE:10,PART:,PRIVMSG:10,TAGMSG:10,USERHOST:5,WHOIS:1,WHOWAS:1 \
         TOPICLEN=390 :are supported by this server",
    ),
    ("005", "USERLEN=11 UTF8ONLY WHOX :are supported by this server"),
    ("251", ":There are 1 users and 0 invisible on 1 servers"),
    ("252", "0 :operator(s) online"),
    ("253", "0 :unknown connection(s)"),
    ("254", "0 :channels formed"),
    ("255", ":I have 1 clients and 0 servers"),
    ("265", "1 1 :Current local users 1, max 1"),
    ("266", "1 1 :Current global users 1, max 1"),
    ("422", ":MOTD File is missing"),
];
