//! What a message costs the hub, and what its delivery to each member costs before any socket is touched.
//!
//! `cargo bench -p polylogue-benches --bench fanout`; the item throughput is in deliveries, so that its inverse
//! is the time for one.

use bytes::Bytes;
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};

use hub::{Chunks, Command, Dialect, Effect, Form, Say, To};
use polylogue_benches::Crowd;

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const MEMBERS: [usize; 3] = [10, 1_000, 10_000];
const BODY: &str = "sixty-four bytes of text, which is about what a person would say";

fn say(crowd: &mut Crowd, fx: &mut Vec<Effect>) {
    let say = Say {
        to: To::Room(crowd.room),
        text: BODY.into(),
        style: hub::Style::Plain,
        tags: None,
        seams: Vec::new(),
        echo: false,
        token: None,
        waits: false,
    };
    crowd.hub.apply(crowd.now, crowd.sessions[0], Command::Say(say), fx);
}

/// The hub alone: from the command to the effect.
#[divan::bench(args = MEMBERS)]
fn hub_only(bencher: Bencher<'_, '_>, members: usize) {
    let mut crowd = Crowd::gather(members, Dialect::Rooms).expect("a crowd");
    let mut fx = Vec::new();
    bencher.counter(ItemsCount::new(members)).bench_local(|| {
        say(&mut crowd, &mut fx);
        black_box(&fx);
        fx.clear();
    });
}

/// The hub, and for each member a look at the shared bytes and a place in its queue.
#[divan::bench(args = MEMBERS)]
fn hub_and_shared_bytes(bencher: Bencher<'_, '_>, members: usize) {
    let mut crowd = Crowd::gather(members, Dialect::Rooms).expect("a crowd");
    let mut fx = Vec::new();
    let mut queues: Vec<Vec<Bytes>> = vec![Vec::with_capacity(1); members];
    bencher.counter(ItemsCount::new(members)).bench_local(|| {
        say(&mut crowd, &mut fx);
        for effect in fx.drain(..) {
            let Effect::Deliver { to, event } = effect else { continue };
            for session in to.sessions() {
                let chunks = event.encoded(Form(1), |_| Chunks::from_elem(Bytes::from_static(b"x"), 1));
                queues[session.slot() as usize].extend_from_slice(chunks);
            }
        }
        queues.iter_mut().for_each(|queue| queue.clear());
    });
}
