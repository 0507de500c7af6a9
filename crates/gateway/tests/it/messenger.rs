//! What holds for messenger whatever its clients do.

use std::collections::BTreeMap;
use std::time::Duration;

use hub::Dialect;
use proptest::prelude::*;
use transcript::Host;

use crate::world::World;

const PEOPLE: [&str; 3] = ["ana", "bea", "cleo"];

/// Something that one of them does.
#[derive(Debug, Clone)]
enum Act {
    /// Says something to one of them, to nobody who is there, or to all.
    Send(usize),
    /// Acknowledges what it has, if anything, on either connection.
    Acknowledge { elsewhere: bool, is_error: bool },
    /// Time passes, and no client does anything.
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0usize..5).prop_map(Act::Send),
        4 => (any::<bool>(), proptest::bool::weighted(0.1))
            .prop_map(|(elsewhere, is_error)| Act::Acknowledge { elsewhere, is_error }),
        1 => (1u64..4000).prop_map(Act::Wait),
    ]
}

/// What one person has seen.
#[derive(Debug, Default)]
struct Seen {
    sent: Vec<String>,
    answers: Vec<String>,
    forwards: Vec<String>,
    unacknowledged: usize,
}

fn look(world: &mut World, seen: &mut BTreeMap<&str, Seen>) {
    for name in PEOPLE {
        let entry = seen.entry(name).or_default();
        entry.answers.extend(world.texts(name));
        for forward in world.texts(&format!("{name}.recv")) {
            entry.forwards.push(forward);
            entry.unacknowledged += 1;
        }
    }
}

fn do_it(world: &mut World, seen: &mut BTreeMap<&str, Seen>, who: &'static str, act: &Act, number: usize) {
    let entry = seen.entry(who).or_default();
    match act {
        Act::Send(to) => {
            let to = ["ana", "bea", "cleo", "nobody", "ALL"][*to];
            let body = format!("message {number}");
            world.say(who, &format!("SEND {to}\nContent-length: {}\n\n{body}", body.len()));
            entry.sent.push(to.to_owned());
        }
        Act::Acknowledge { elsewhere, is_error } if entry.unacknowledged > 0 => {
            entry.unacknowledged -= 1;
            let connection = if *elsewhere { who.to_owned() } else { format!("{who}.recv") };
            world.say(
                &connection,
                if *is_error { "ERROR 103 Header Incomplete\n\n" } else { "RECEIVED x\n\n" },
            );
        }
        Act::Acknowledge { .. } => {}
        Act::Wait(ms) => world.advance(Duration::from_millis(*ms)),
    }
    look(world, seen);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_send_is_answered_once_and_in_order(
        acts in proptest::collection::vec((0usize..3, act()), 1..60),
    ) {
        let mut world = World::default();
        let mut seen = BTreeMap::new();
        for name in PEOPLE {
            world.joined(name, Dialect::Messenger, None);
        }
        for (number, (who, act)) in acts.iter().enumerate() {
            do_it(&mut world, &mut seen, PEOPLE[*who], act, number);
        }
        // Nobody acknowledges any more: each counts as served at some time.
        world.advance(Duration::from_secs(30));
        look(&mut world, &mut seen);
        for (name, seen) in &seen {
            prop_assert_eq!(seen.sent.len(), seen.answers.len(), "{}: {:?}", name, seen);
            for (to, answer) in seen.sent.iter().zip(&seen.answers) {
                let is_answer = match answer.as_str() {
                    "ERROR 102 Unable to send\n\n" => to == "nobody",
                    "ERROR 103 Header incomplete\n\n" => to != "nobody",
                    answer => to != "nobody" && answer == format!("SEND {to}\n\n"),
                };
                prop_assert!(is_answer, "{}: {} was answered {:?}", name, to, answer);
            }
            // A receiver sees what it is sent in the order in which it was said, each once.
            let numbers: Vec<u32> = seen
                .forwards
                .iter()
                .map(|forward| forward.rsplit(' ').next().unwrap().parse().unwrap())
                .collect();
            prop_assert!(numbers.is_sorted_by(|one, other| one < other), "{}: {:?}", name, numbers);
        }
        let forwarded: usize = seen.values().map(|seen| seen.forwards.len()).sum();
        let said = seen.values().flat_map(|seen| &seen.sent);
        let due: usize = said.map(|to| match to.as_str() { "ALL" => 2, "nobody" => 0, _ => 1 }).sum();
        prop_assert_eq!(forwarded, due);
    }

    #[test]
    fn any_bytes_leave_nothing_behind(
        pieces in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..40),
                prop_oneof![
                    Just("REGISTER TOSEND bob\n\n"), Just("REGISTER TORECV bob\n\n"), Just("REGISTER TOSEND eve"),
                    Just("SEND bob\nContent-length: 3\n\nhi\n"), Just("SEND ALL Content-length: 3 hi\n"),
                    Just("SEND bob\nContent-length: 4\n\nné"), Just("RECEIVED bob\n\n"), Just("UNREGISTER\n\n"),
                    Just("SEND bob\n\n"), Just("ERROR 103 Header Incomplete\n\n"), Just("\n"), Just("\0\x0c"),
                ]
                .prop_map(|text| text.as_bytes().to_vec()),
            ],
            0..12,
        ),
        which in proptest::collection::vec((0usize..2, 0u64..300), 12),
    ) {
        let mut world = World::default();
        world.joined("dora", Dialect::Messenger, None);
        let names = ["one", "two"];
        for name in names {
            let opening = transcript::Opening {
                name: name.to_owned(),
                dialect: "messenger".to_owned(),
                argument: None,
                from: None,
            };
            world.open(&opening).unwrap();
        }
        for (piece, (index, ms)) in pieces.iter().zip(which) {
            world.send(names[index], piece, false).unwrap();
            world.advance(Duration::from_millis(ms));
        }
        for name in names {
            world.close(name).unwrap();
        }
        world.advance(Duration::from_secs(60));
        for name in names {
            prop_assert!(world.is_closed(name), "{} is still open", name);
        }
        prop_assert_eq!(world.hub().present().count(), 1, "only dora is left");
        world.take("dora");
        world.say("dora", "SEND ALL\nContent-length: 2\n\nhi");
        prop_assert_eq!(world.texts("dora"), ["SEND ALL\n\n"]);
    }
}
