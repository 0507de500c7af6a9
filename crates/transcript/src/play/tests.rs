//! The player against a host that echoes.

use std::time::Duration;

use super::*;
use crate::update::update;

/// Echoes each send at once as a message of its own, `later` a second later; closes at `bye`, calls at `ring`.
#[derive(Default)]
struct Echo {
    clients: BTreeMap<String, Client>,
    calls: Vec<String>,
    sends: usize,
}

#[derive(Default)]
struct Client {
    out: Vec<Vec<u8>>,
    later: Vec<Vec<u8>>,
    closed: bool,
}

impl Host for Echo {
    fn conf(&mut self, key: &str, _: &str) -> Result<(), String> {
        if key == "known" { Ok(()) } else { Err(format!("no setting is called {key}")) }
    }
    fn open(&mut self, opening: &Opening) -> Result<(), String> {
        self.clients.insert(opening.name.clone(), Client::default());
        Ok(())
    }
    fn join(&mut self, opening: &Opening) -> Result<(), String> {
        self.open(opening)
    }
    fn send(&mut self, name: &str, bytes: &[u8], _: bool) -> Result<(), String> {
        self.sends += 1;
        if bytes == b"ring" {
            self.calls.push("192.0.2.1:1".to_owned());
        }
        let client = self.clients.get_mut(name).ok_or("nobody")?;
        match bytes {
            b"later" => client.later.push(bytes.to_vec()),
            b"bye" => client.closed = true,
            _ => client.out.push(bytes.to_vec()),
        }
        Ok(())
    }
    fn close(&mut self, name: &str) -> Result<(), String> {
        self.send(name, b"bye", false)
    }
    fn take(&mut self, name: &str) -> Vec<Vec<u8>> {
        self.clients.get_mut(name).map(|client| std::mem::take(&mut client.out)).unwrap_or_default()
    }
    fn is_closed(&mut self, name: &str) -> bool {
        self.clients[name].closed
    }
    fn names(&self) -> Vec<String> {
        self.clients.keys().cloned().collect()
    }
    fn is_framed(&self, name: &str) -> bool {
        name.starts_with("framed")
    }
    fn answer(&mut self, name: &str, address: &str) -> Result<(), String> {
        self.clients.insert(name.to_owned(), Client::default());
        self.busy(address)
    }
    fn busy(&mut self, address: &str) -> Result<(), String> {
        let before = self.calls.len();
        self.calls.retain(|call| call != address);
        if before == self.calls.len() { Err(format!("no call to {address}")) } else { Ok(()) }
    }
    fn calls(&self) -> Vec<String> {
        self.calls.clone()
    }
    fn advance(&mut self, _: Duration) {
        for client in self.clients.values_mut() {
            client.out.append(&mut client.later);
        }
    }
    fn shutdown(&mut self) {
        self.clients.values_mut().for_each(|client| client.closed = true);
    }
}

fn run(text: &str, pace: Pace) -> Result<usize, String> {
    let transcript = Transcript::parse("t", text).unwrap();
    let mut host = Echo::default();
    play(&transcript, &mut host, pace).map(|()| host.sends).map_err(|failure| failure.to_string())
}

fn fails(text: &str, with: &str) {
    let failure = run(text, Pace::Whole).unwrap_err();
    assert_eq!(failure, with);
}

#[test]
fn what_is_as_written_passes() {
    let text = "conf known=1\nopen a x\njoin b x\na> hi\\n\na< h[..]\\n\na> later\n~ 1s\na< later\n\
                b> ring\nb< ring\nanswer c 192.0.2.1:1\nc> x\nc< x\nclose b\nshutdown\na< EOF\nb< EOF\nc< EOF";
    assert_eq!(run(text, Pace::Whole), Ok(5));
}

#[test]
fn differences_say_where_and_what() {
    fails("open a x\na> hi\\n\na< ho", "t:3: expected and came:\n  a< ho\n  a< hi\\n");
    fails("open a x\na< ho", "t:2: expected and came:\n  a< ho\n  nothing");
    fails("open a x\na< EOF", "t:2: expected and came:\n  a< EOF\n  nothing");
    fails("open a x\nb< x", "t:2: nobody is called b");
    fails("conf other=1", "t:1: no setting is called other");
}

#[test]
fn silence_is_tested() {
    fails("open a x\na> hi\n~ 1s\na< hi", "t:3: nobody expected:\n  a< hi");
    fails("open a x\na> hi\n", "t:3: at the end, nobody expected:\n  a< hi");
    fails("open a x\na> bye", "t:3: at the end, nobody expected the server to close:\n  a< EOF");
    fails("open a x\na> hi\na> bye\na< EOF", "t:4: nobody expected:\n  a< hi");
    fails("open a x\na> ring\na< ring", "t:4: at the end, nobody took the server's call to 192.0.2.1:1");
    assert_eq!(run("open a x\nclose a", Pace::Whole), Ok(1));
}

#[test]
fn only_framed_dialects_are_fed_a_byte_at_a_time() {
    let text = "open framed x\nopen a x\na> xyz\na< xyz\nframed> xyz\nframed< x\nframed< y\nframed< z";
    assert_eq!(run(text, Pace::ByteAtATime), Ok(4));
}

#[test]
fn updating_writes_what_came() {
    let text = "# says\nopen a x\na> later\na< wrong\na> bye\\s\na< [..]\n~ 1s\n\n# end\na> bye\n";
    let transcript = Transcript::parse("t", text).unwrap();
    let updated = update(&transcript, &mut Echo::default()).unwrap();
    let expected =
        "# says\nopen a x\na> later\na> bye\\s\na< [..]\n~ 1s\n\n# end\na> bye\na< later\na< EOF\n";
    assert_eq!(updated, expected);
    assert_eq!(run(&updated, Pace::Whole), Ok(3));
    // Once more changes nothing.
    let again = Transcript::parse("t", &updated).unwrap();
    assert_eq!(update(&again, &mut Echo::default()).unwrap(), updated);
}
