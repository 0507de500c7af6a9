//! Those who only acknowledge: the server may hear them a moment later, and that must not show.

use crate::fixture::{Fixture, Peer};

/// Enough that the server finds it worth its while to hear them together.
const RECEIVERS: usize = 8;

struct Receiver {
    name: String,
    send: Peer,
    receive: Peer,
}

fn receivers(server: &Fixture) -> Vec<Receiver> {
    let join = |index| {
        let name = format!("carl{index}");
        let (mut send, mut receive) = (server.connect(), server.connect());
        send.send(&format!("REGISTER TOSEND {name}\n\n"));
        send.expect(&format!("REGISTERED TOSEND {name}\n\n"));
        receive.send(&format!("REGISTER TORECV {name}\n\n"));
        receive.expect(&format!("REGISTERED TORECV {name}\n\n"));
        Receiver { name, send, receive }
    };
    (0..RECEIVERS).map(join).collect()
}

fn hear(all: &mut [Receiver], from: &str, text: &str) {
    for Receiver { receive, .. } in all {
        receive.expect(&format!("FORWARD {from}\nContent-length: {}\n\n{text}", text.len()));
        receive.send(&format!("RECEIVED {from}\n\n"));
    }
}

fn server() -> Fixture {
    Fixture::with(|config| config.reactors = Some(1))
}

#[test]
fn nobody_waits_for_those_who_acknowledge() {
    let server = server();
    let mut ana = server.rooms("ana", "lobby");
    let mut all = receivers(&server);
    for round in 0..300 {
        ana.send(&format!("{round}\n"));
        ana.expect(&format!("ana - {round}\n"));
        hear(&mut all, "ana", &round.to_string());
    }
}

#[test]
fn what_is_said_meanwhile_is_heard() {
    let server = server();
    let mut ana = server.rooms("ana", "lobby");
    let mut all = receivers(&server);
    while all.len() > 1 {
        ana.send("hi\n");
        ana.expect("ana - hi\n");
        hear(&mut all, "ana", "hi");
        // No acknowledgement, and nothing that follows it.
        let mut one = all.remove(0);
        one.receive.send("NONSENSE\n\n");
        one.receive.expect("ERROR 103 Header incomplete\n\n");
        // Nor that it leaves.
        let before = server.metric("polylogue_connections");
        drop(one.receive);
        server.until("its end", |server| server.metric("polylogue_connections") < before);
    }
}

#[test]
fn who_is_sent_nothing_is_heard_while_others_are_busy() {
    let server = server();
    let mut ana = server.rooms("ana", "lobby");
    let mut all = receivers(&server);
    // One role alone is in no room.
    let mut half = server.connect();
    half.send("REGISTER TORECV bo\n\n");
    half.expect("REGISTERED TORECV bo\n\n");
    std::thread::scope(|scope| {
        let answered = scope.spawn(|| {
            for _ in 0..100 {
                half.send("NONSENSE\n\n");
                half.expect("ERROR 101 No user registered\n\n");
            }
        });
        while !answered.is_finished() {
            ana.send("hi\n");
            ana.expect("ana - hi\n");
            hear(&mut all, "ana", "hi");
        }
    });
}

#[test]
fn who_waits_for_them_is_told_at_once() {
    let server = server();
    let mut all = receivers(&server);
    for round in 0..100 {
        let mut speaker = all.remove(0);
        let text = round.to_string();
        speaker.send.send(&format!("SEND ALL\nContent-length: {}\n\n{text}", text.len()));
        hear(&mut all, &speaker.name, &text);
        speaker.send.expect("SEND ALL\n\n");
        all.push(speaker);
    }
}

#[test]
fn who_takes_the_other_role_too_is_heard_like_everybody() {
    let server = server();
    let mut ana = server.rooms("ana", "lobby");
    let mut all = receivers(&server);
    let mut both = server.connect();
    both.send("REGISTER TORECV bo\n\n");
    both.expect("REGISTERED TORECV bo\n\n");
    both.send("REGISTER TOSEND bo\n\n");
    both.expect("REGISTERED TOSEND bo\n\n");
    for _ in 0..5 {
        ana.send("hi\n");
        ana.expect("ana - hi\n");
        hear(&mut all, "ana", "hi");
        both.expect("FORWARD ana\nContent-length: 2\n\nhi");
        both.send("RECEIVED ana\n\n");
        both.send("SEND ALL\nContent-length: 2\n\nyo");
        ana.expect("bo - yo\n");
        hear(&mut all, "bo", "yo");
        both.expect("SEND ALL\n\n");
    }
}
