//! A member that stops reading while others talk harms itself alone.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::fixture::{Fixture, Peer};

const TALKERS: usize = 100;
/// Few enough that a reader's bound isn't reached while the test is still sending.
const AT_ONCE: usize = 10;
const TEXT_BYTES: usize = 3_000;
/// Each is 300 kB for the one who doesn't read: several times what the kernel and the server hold for it.
const ROUNDS_MAX: usize = 100;

/// Reads as many texts as are said at once. Each comes in pieces that fit small buffers.
fn read_texts(talker: &mut Peer) {
    let mut left = AT_ONCE * TEXT_BYTES;
    while left > 0 {
        left -= talker.skim(|byte| byte == b'x');
    }
    talker.read_until("\n");
}

/// A peer whose kernel takes little for it: it may take megabytes otherwise.
pub(crate) fn narrow(addr: SocketAddr) -> Peer {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(8 * 1024).unwrap();
    socket.connect(&addr.into()).unwrap();
    Peer::new(socket.into())
}

#[test]
fn a_member_that_stops_reading_is_closed_and_nobody_else_feels_it() {
    // A small bound, so that the kernel's buffers and not the test's patience decide.
    let bound = 64 * 1024;
    let server = Fixture::with(|config| config.limits.queue_bytes_max = bound);
    let mut sleeper = narrow(server.addr);
    sleeper.send("sleeper_den\n");
    sleeper.expect("200\n");
    let mut talkers: Vec<_> = (0..TALKERS).map(|number| server.rooms(&format!("t{number}"), "den")).collect();
    let text = "x".repeat(TEXT_BYTES);
    let is_closed = || server.metric("polylogue_closes_total{dialect=\"rooms\",reason=\"slow_reader\"}") == 1;
    let mut slowest = Duration::ZERO;
    // Counted, not timed: how long all of them take is the machine's affair.
    let mut rounds = 0..ROUNDS_MAX;
    while !is_closed() {
        assert!(rounds.next().is_some(), "the sleeper is not closed");
        for first in (0..TALKERS).step_by(AT_ONCE) {
            let began = Instant::now();
            let speakers = first..first + AT_ONCE;
            for speaker in speakers {
                talkers[speaker].send(&format!("{text}\n"));
            }
            for talker in &mut talkers {
                read_texts(talker);
            }
            slowest = slowest.max(began.elapsed());
        }
    }
    // What waits is bounded: the sleeper's queue is gone, and nobody else had one.
    server.until("nothing waits", |server| server.metric("polylogue_queued_bytes ") == 0);
    talkers[0].send("and on we go\n");
    for talker in &mut talkers {
        talker.expect("t0 - and on we go\n");
    }
    drop(sleeper);
    assert!(slowest < Duration::from_secs(5), "a round took {slowest:?}");
}
