//! A sender at full speed: what waits inside the server stays bounded, and nobody else is held up.

use std::io::{Read, Write};
use std::net::Shutdown;

use crate::fixture::Fixture;

const LINES: usize = 40_000;
const MEMBERS: usize = 20;

#[test]
fn a_flood_is_delivered_whole_in_order_and_to_the_end_of_the_input() {
    let server = Fixture::with(|config| config.limits.queue_bytes_max = 16 * 1024 * 1024);
    let mut readers: Vec<_> = (0..MEMBERS).map(|number| server.rooms(&format!("m{number}"), "den")).collect();
    let flooder = server.connect();
    let mut input = b"ana_den\n".to_vec();
    for number in 0..LINES {
        input.extend(format!("{number}\n").as_bytes());
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Far more than one read takes, and then at once the end of the input.
            let mut stream = flooder.stream();
            stream.write_all(&input).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        });
        for reader in &mut readers {
            scope.spawn(|| {
                for number in 0..LINES {
                    assert_eq!(reader.read_until("\n"), format!("ana - {number}\n"));
                }
            });
        }
    });
    server.until("the flooder is gone", |server| server.metric("polylogue_users ") == MEMBERS as i64);
}
