//! Plays readable wire transcripts against any host of sessions.
//!
//! A transcript is a text file that shows what clients send and what a server answers, byte for byte:
//!
//! ```text
//! # A message reaches every member.
//! open bob rooms
//! bob> bob_den
//! ~ 150ms
//! bob< 200
//! ```
//!
//! Blank lines and lines that begin with `#` are skipped. The others:
//!
//! | line | meaning |
//! |---|---|
//! | `conf KEY=VALUE` | a setting; before everything else |
//! | `open NAME DIALECT [ARGUMENT] [from ADDRESS]` | a client connects; the rest of the file calls it `NAME` |
//! | `join NAME DIALECT [ROOM] [from ADDRESS]` | connects and signs in; the greeting is not shown |
//! | `NAME> PAYLOAD` | the client sends this, in one `send` |
//! | `NAME< PAYLOAD` | the server's next message to the client is this, whole |
//! | `close NAME` | the client closes its side |
//! | `NAME< EOF` | the server has closed, after all that came before was written |
//! | `answer NAME ADDRESS` | the server called `ADDRESS`: somebody takes the call and is `NAME` from now on |
//! | `busy ADDRESS` | the server called `ADDRESS`: nobody answers |
//! | `~ 90s` | the clock moves (`ms`, `s`, `m`) |
//! | `shutdown` | the server goes down |
//!
//! A payload is exact: nothing is added at its end, but where the dialect has lines ([`Host::line_end`]), which are
//! shown without their ends. It knows the escapes `\r`, `\n`, `\t`, `\\`, `\xNN`,
//! `\u{…}`, and `\s` for a space at an end; after `hex:` it is hexadecimal digits, and sent as binary where that
//! makes a difference. `[..]` in an expected payload stands for any bytes but a line feed. Silence is tested: output that nobody
//! read when the clock moves, or at the end, is an error, and so is a close that is not shown.

mod error;
mod parse;
mod payload;
mod play;
mod update;

pub use error::Failure;
pub use parse::{Opening, Step, Transcript, duration};
pub use payload::{Pattern, escape};
pub use play::{Host, Pace, play};
pub use update::{Tested, test};
