//! Whatever comes, the server goes on, nobody else is disturbed, and nothing is left behind.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::fixture::{Fixture, PATIENCE};

const BLOBS: u64 = 10_000;
const SENDERS: u64 = 4;

/// A small generator (splitmix64), so that a seed tells the whole run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// What a blob may begin with, so that every protocol gets its share of rubbish.
const STARTS: [&[u8]; 10] = [
    b"",
    b"",
    b"{",
    b"{\"CMD\": \"JOIN\", ",
    b"REGISTER TOSEND x\n\n",
    b"REGISTER\r\n",
    b"x_y\n",
    b"GET / HTTP/1.1\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    b"\0\0\x10\0{",
];

/// From 1 byte to 64 KiB, with every order of magnitude as likely as the next.
fn blob(random: &mut Random) -> Vec<u8> {
    let len = 1 + (random.next() % (1 << (random.next() % 17))) as usize;
    let start = STARTS[(random.next() % STARTS.len() as u64) as usize];
    let mut blob: Vec<u8> = start.to_vec();
    while blob.len() < len {
        blob.extend(random.next().to_le_bytes());
    }
    blob.truncate(len.max(1));
    blob
}

#[test]
fn ten_thousand_random_blobs_change_nothing() {
    let server = Fixture::start();
    let mut ana = server.rooms("ana", "quiet");
    let mut bob = server.rooms("bob", "quiet");
    let sent = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for seed in 0..SENDERS {
            let (addr, sent) = (server.addr, &sent);
            scope.spawn(move || {
                let mut random = Random(seed);
                for _ in 0..BLOBS / SENDERS {
                    let mut stream = TcpStream::connect(addr).unwrap();
                    stream.set_write_timeout(Some(PATIENCE)).unwrap();
                    // The server may well hang up in the middle; that is its right.
                    let _ = stream.write_all(&blob(&mut random));
                    let _ = stream.shutdown(Shutdown::Write);
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(sent.into_inner(), BLOBS);
    ana.send("still here?\n");
    bob.expect("ana - still here?\n");
    server.until("only the two are connected", |server| server.metric("polylogue_connections{") == 2);
    assert_eq!(server.metric("polylogue_closes_total{dialect=\"rooms\",reason=\"panic\"}"), 0);
    assert!(!server.handle.metrics_text().contains("reason=\"panic\""), "{}", server.handle.metrics_text());
}
