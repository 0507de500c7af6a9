//! A member that stops reading while others talk harms itself alone.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::fixture::{Fixture, Peer};

const TALKERS: usize = 100;
/// Few enough that a reader's bound isn't reached while the test is still sending.
const AT_ONCE: usize = 10;
const TEXT_BYTES: usize = 3_000;

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
    let mut slowest = Duration::ZERO;
    server.until("the sleeper is closed", |server| {
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
        server.metric("polylogue_closes_total{dialect=\"rooms\",reason=\"slow_reader\"}") == 1
    });
    // What waits is bounded: the sleeper's queue is gone, and nobody else had one.
    server.until("nothing waits", |server| server.metric("polylogue_queued_bytes ") == 0);
    talkers[0].send("and on we go\n");
    for talker in &mut talkers {
        talker.expect("t0 - and on we go\n");
    }
    drop(sleeper);
    assert!(slowest < Duration::from_secs(5), "a round took {slowest:?}");
}
