//! What a codec costs per frame: time and bytes allocated, for a message of 64 bytes as each dialect writes it.
//!
//! `cargo bench -p polylogue-benches --bench codec`. Decoding takes a stream of a thousand frames in reads of 4 KiB;
//! the item throughput is in frames. The allocator's figures are for the thousand frames together.

use bytes::BytesMut;
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use proto::{bridge, irc, messenger, muca, rooms, tmp};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const FRAMES: usize = 1_000;
const READ_BYTES: usize = 4 * 1024;
const FRAME_BYTES_MAX: usize = 64 * 1024;
const BODY: &str = "sixty-four bytes of text, which is about what a person would say";

/// A thousand frames one after the other.
fn stream(frame: &str) -> Vec<u8> {
    frame.repeat(FRAMES).into_bytes()
}

mod decode {
    use super::*;

    #[divan::bench]
    fn rooms_lines(bencher: Bencher<'_, '_>) {
        let stream = stream(&format!("{BODY}\n"));
        bencher.counter(ItemsCount::new(FRAMES)).bench_local(|| {
            let mut decoder = rooms::Decoder::new(FRAME_BYTES_MAX);
            decoder.feed(b"ana_den\n");
            let mut frames = 0;
            for read in stream.chunks(READ_BYTES) {
                decoder.feed(read);
                while let Ok(Some(frame)) = decoder.next_frame() {
                    black_box(frame);
                    frames += 1;
                }
            }
            assert_eq!(frames, FRAMES + 1);
        });
    }

    #[divan::bench]
    fn irc_privmsg(bencher: Bencher<'_, '_>) {
        let stream = stream(&format!("PRIVMSG #den :{BODY}\r\n"));
        bencher.counter(ItemsCount::new(FRAMES)).bench_local(|| {
            let mut decoder = irc::server::Decoder::default();
            let mut frames = 0;
            for read in stream.chunks(READ_BYTES) {
                decoder.feed(read);
                while let Some(Ok(line)) = decoder.next_line() {
                    let _ = black_box(irc::Line::parse(line));
                    frames += 1;
                }
            }
            assert_eq!(frames, FRAMES);
        });
    }

    #[divan::bench]
    fn muca_bare(bencher: Bencher<'_, '_>) {
        let stream = stream(&format!(r#"{{"CMD": "SEND", "MSG": "{BODY}", "TO": [], "FROM": "ana@x.org"}}"#));
        bencher.counter(ItemsCount::new(FRAMES)).bench_local(|| {
            let mut decoder = muca::server::Decoder::new(FRAME_BYTES_MAX);
            let mut frames = 0;
            for read in stream.chunks(READ_BYTES) {
                decoder.feed(read);
                while let Ok(Some(frame)) = decoder.next_frame() {
                    black_box(frame);
                    frames += 1;
                }
            }
            assert_eq!(frames, FRAMES);
        });
    }

    /// One WebSocket message is one frame: there is nothing to find.
    #[divan::bench]
    fn tmp_message(bencher: Bencher<'_, '_>) {
        let message = format!("tmp://{:32}::/{:20}::/CHAT_MESSAGE {BODY}", "CHAT_MSSG", "ana");
        bencher
            .counter(ItemsCount::new(1usize))
            .bench_local(|| black_box(tmp::server::decode(black_box(&message), FRAME_BYTES_MAX)).is_ok());
    }

    #[divan::bench]
    fn bridge_register(bencher: Bencher<'_, '_>) {
        let stream = stream("REGISTER\r\nclientID: ana\r\nIP: 127.0.0.1\r\nPort: 1225\r\n\r\n");
        bencher.counter(ItemsCount::new(FRAMES)).bench_local(|| {
            let mut decoder = bridge::server::Decoder::new(FRAME_BYTES_MAX);
            let mut frames = 0;
            for read in stream.chunks(READ_BYTES) {
                decoder.feed(read);
                while let Ok(Some(frame)) = decoder.next_frame() {
                    black_box(frame);
                    frames += 1;
                }
            }
            assert_eq!(frames, FRAMES);
        });
    }

    #[divan::bench]
    fn messenger_send(bencher: Bencher<'_, '_>) {
        let stream = stream(&format!("SEND bob\nContent-length: {}\n\n{BODY}", BODY.len()));
        bencher.counter(ItemsCount::new(FRAMES)).bench_local(|| {
            let mut decoder = messenger::server::Decoder::new(FRAME_BYTES_MAX);
            let mut frames = 0;
            for read in stream.chunks(READ_BYTES) {
                decoder.feed(read);
                while let Ok(Some(frame)) = decoder.next_frame() {
                    black_box(frame);
                    frames += 1;
                }
            }
            assert_eq!(frames, FRAMES);
        });
    }
}

mod encode {
    use super::*;

    /// Into a buffer that is empty and has room, as when one event is encoded.
    fn encode(bencher: Bencher<'_, '_>, write: impl Fn(&mut BytesMut)) {
        bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
            let mut out = BytesMut::with_capacity(256);
            write(&mut out);
            out.freeze()
        });
    }

    #[divan::bench]
    fn rooms_message(bencher: Bencher<'_, '_>) {
        let frame = rooms::ServerFrame::Message { from: "ana".into(), private: false, text: BODY.into() };
        encode(bencher, |out| rooms::encode(&frame, rooms::Framing::Lines, out));
    }

    #[divan::bench]
    fn muca_message(bencher: Bencher<'_, '_>) {
        encode(bencher, |out| {
            muca::server::encode_message(muca::Kind::All, BODY, "ana@x.org", muca::Framing::Bare, out);
        });
    }

    #[divan::bench]
    fn tmp_message(bencher: Bencher<'_, '_>) {
        let frame = tmp::ServerFrame::ChatMssg { user: "ana", body: tmp::Body::Message(BODY) };
        encode(bencher, |out| tmp::server::encode(&frame, out));
    }

    #[divan::bench]
    fn irc_privmsg(bencher: Bencher<'_, '_>) {
        bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
            let mut out = Vec::with_capacity(256);
            let line = irc::Writer::new(&mut out).user("ana", "~ana", "localhost");
            line.command("PRIVMSG").param("#den").trailing(BODY);
            out
        });
    }

    #[divan::bench]
    fn irc_privmsg_with_tags(bencher: Bencher<'_, '_>) {
        bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
            let mut out = Vec::with_capacity(256);
            let line = irc::Writer::new(&mut out).tag("time", "2026-01-01T00:00:00.000Z");
            let line = line.tag("msgid", "18bcfe568fa00001").user("ana", "~ana", "localhost");
            line.command("PRIVMSG").param("#den").trailing(BODY);
            out
        });
    }

    #[divan::bench]
    fn messenger_forward(bencher: Bencher<'_, '_>) {
        let voice = messenger::server::Voice::default();
        encode(bencher, |out| messenger::server::encode_forward("ana", BODY, voice, out));
    }
}
