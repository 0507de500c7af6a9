//! What a client reads and writes, and a [`Client`].

use bytes::BytesMut;

use super::json::{self, Fault, Fields, write_string};
use super::objects::Objects;
use super::{ClientFrame, Framing, Kind, Person, Recipients, ServerFrame, framed};
use crate::ProtocolError;
use crate::client::{ClientOutbox, Happening, Link};

/// Reads what a server sends, whichever framing it uses. Drained, it owns no memory.
#[derive(Debug)]
pub struct Decoder(Objects);

impl Decoder {
    /// Objects may have up to `bytes_max` bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self(Objects::new(bytes_max))
    }

    /// Takes what one read gave, cut in any way.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.0.feed(bytes);
    }

    /// What is kept of unfinished input, in bytes.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.0.buffered()
    }

    /// The next frame; `Ok(None)`: feed more.
    ///
    /// # Errors
    /// An object that is no frame; what comes after it can be read. `TooLong` is fatal and repeats.
    pub fn next_frame(&mut self) -> Result<Option<ServerFrame>, ProtocolError> {
        let Some(object) = self.0.next_object()? else { return Ok(None) };
        json::read(&object, read).map(Some)
    }
}

fn read(fields: &Fields<'_>) -> Result<ServerFrame, Fault> {
    let command = json::needed(fields.cmd, "CMD")?;
    let unknown = |what, value: &str| Fault::Protocol(ProtocolError::unknown(what, value.as_bytes()));
    match command.as_str() {
        "ACK" => {
            let kind = json::needed(fields.kind, "TYPE")?;
            match kind.as_str() {
                "OKAY" => Ok(ServerFrame::Ack { okay: true }),
                "FAIL" => Ok(ServerFrame::Ack { okay: false }),
                _ => Err(unknown("TYPE", &kind)),
            }
        }
        "LIST" => {
            let entries = json::list(fields.data)?.ok_or(ProtocolError::Missing { what: "DATA" })?;
            entries.into_iter().map(read_person).collect::<Result<_, _>>().map(ServerFrame::List)
        }
        "MSG" => {
            let kind = json::needed(fields.kind, "TYPE")?;
            let kind = [Kind::All, Kind::Group, Kind::Private]
                .into_iter()
                .find(|known| known.as_str() == kind)
                .ok_or_else(|| unknown("TYPE", &kind))?;
            let text = json::needed(fields.msg, "MSG")?;
            let from = json::needed(fields.from, "FROM")?;
            Ok(ServerFrame::Message { kind, text, from })
        }
        _ => Err(unknown("CMD", &command)),
    }
}

fn read_person(entry: &serde_json::value::RawValue) -> Result<Person, Fault> {
    let fields = json::fields(entry).ok_or(ProtocolError::Missing { what: "UID" })?;
    Ok(Person { name: json::needed(fields.name, "UN")?, uid: json::needed(fields.uid, "UID")? })
}

/// Appends a frame.
pub fn encode(frame: &ClientFrame, framing: Framing, out: &mut BytesMut) {
    framed(framing, out, |out| match frame {
        ClientFrame::Join { name, uid } => {
            out.extend_from_slice(br#"{"CMD": "JOIN", "UN": "#);
            write_string(out, name);
            out.extend_from_slice(br#", "UID": "#);
            write_string(out, uid);
            out.extend_from_slice(b"}");
        }
        ClientFrame::Send { text, to, from } => {
            out.extend_from_slice(br#"{"CMD": "SEND", "MSG": "#);
            write_string(out, text);
            out.extend_from_slice(br#", "TO": ["#);
            if let Recipients::People(people) = to {
                for (index, name) in people.iter().enumerate() {
                    out.extend_from_slice(if index == 0 { b"" } else { b", " });
                    write_string(out, name);
                }
            }
            out.extend_from_slice(br#"], "FROM": "#);
            write_string(out, from);
            out.extend_from_slice(b"}");
        }
    });
}

/// The client side of one connection.
#[derive(Debug)]
pub struct Client {
    name: String,
    uid: String,
    framing: Framing,
    decoder: Decoder,
    joined: bool,
    /// The last LIST.
    people: Vec<Person>,
}

impl Client {
    /// Will join under this nickname and UID. A server's objects may have up to `bytes_max` bytes: a LIST grows
    /// with the number of people.
    #[must_use]
    pub fn new(name: &str, uid: &str, framing: Framing, bytes_max: usize) -> Self {
        Self {
            name: name.to_owned(),
            uid: uid.to_owned(),
            framing,
            decoder: Decoder::new(bytes_max),
            joined: false,
            people: Vec::new(),
        }
    }

    /// Who is present according to the last LIST.
    #[must_use]
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// The UID of whom the user means: by UID or by nickname.
    fn uid_of(&self, spelled: &str) -> Option<&str> {
        let by_uid = self.people.iter().find(|person| person.uid == spelled);
        let by_name = || self.people.iter().find(|person| person.name == spelled);
        by_uid.or_else(by_name).map(|person| person.uid.as_str())
    }

    fn name_of<'s>(&'s self, uid: &'s str) -> &'s str {
        self.people.iter().find(|person| person.uid == uid).map_or(uid, |person| person.name.as_str())
    }

    /// Writes to several people at once.
    ///
    /// # Errors
    /// `OutOfPlace` before JOIN is acknowledged, `Unknown` if one of them is not in the LIST.
    pub fn tell_group(
        &mut self,
        to: &[&str],
        text: &str,
        out: &mut ClientOutbox,
    ) -> Result<(), ProtocolError> {
        let uid = |name: &&str| {
            let uid = self.uid_of(name).map(str::to_owned);
            uid.ok_or_else(|| ProtocolError::unknown("recipient", name.as_bytes()))
        };
        let people = to.iter().map(uid).collect::<Result<Vec<_>, _>>()?;
        self.send(Recipients::People(people), text, out)
    }

    fn send(&self, to: Recipients, text: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        if !self.joined {
            return Err(ProtocolError::OutOfPlace { what: "SEND", when: "before JOIN is acknowledged" });
        }
        self.write(&ClientFrame::Send { text: text.to_owned(), to, from: self.uid.clone() }, out);
        Ok(())
    }

    fn write(&self, frame: &ClientFrame, out: &mut ClientOutbox) {
        let mut bytes = BytesMut::new();
        encode(frame, self.framing, &mut bytes);
        out.send(Link::Main, bytes.freeze());
    }

    fn on_frame(&mut self, frame: ServerFrame, out: &mut ClientOutbox) {
        match frame {
            ServerFrame::Ack { okay: true } => {
                self.joined = true;
                out.tell(Happening::SignedIn { name: self.name.clone() });
            }
            ServerFrame::Ack { okay: false } => out.tell(Happening::Refused {
                code: "FAIL".to_owned(),
                reason: if self.joined {
                    "already joined".to_owned()
                } else {
                    "the nickname or the UID is taken or not allowed".to_owned()
                },
            }),
            ServerFrame::List(people) => {
                self.people = people;
                let names = self.people.iter().map(|person| person.name.clone()).collect();
                out.tell(Happening::People { names });
            }
            ServerFrame::Message { kind, mut text, from } => {
                // Other servers pass on the line feed that most clients' input boxes leave there.
                if text.ends_with('\n') {
                    text.pop();
                }
                let from = self.name_of(&from).to_owned();
                out.tell(Happening::Message { from, text, private: kind != Kind::All });
            }
        }
    }
}

impl crate::client::Client for Client {
    fn on_connected(&mut self, _: Link, out: &mut ClientOutbox) {
        self.write(&ClientFrame::Join { name: self.name.clone(), uid: self.uid.clone() }, out);
    }

    fn on_bytes(&mut self, _: Link, bytes: &[u8], out: &mut ClientOutbox) {
        self.decoder.feed(bytes);
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => self.on_frame(frame, out),
                Ok(None) => return,
                Err(error) if error.is_fatal() => {
                    out.tell(Happening::Ended { reason: error.to_string() });
                    out.tell(Happening::Hangup { link: Link::Main });
                    return;
                }
                Err(error) => out.tell(Happening::Confused(error)),
            }
        }
    }

    fn on_closed(&mut self, _: Link, out: &mut ClientOutbox) {
        self.joined = false;
        out.tell(Happening::Ended { reason: "the server closed the connection".to_owned() });
    }

    fn say(&mut self, text: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        self.send(Recipients::Everybody, text, out)
    }

    fn tell(&mut self, to: &str, text: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        self.tell_group(&[to], text, out)
    }

    fn typing(&mut self, _: &mut ClientOutbox) -> Result<(), ProtocolError> {
        Err(ProtocolError::OutOfPlace { what: "typing", when: "in muca" })
    }

    fn leave(&mut self, out: &mut ClientOutbox) {
        self.joined = false;
        out.tell(Happening::Hangup { link: Link::Main });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client as _;

    fn happenings(client: &mut Client, input: &str) -> Vec<Happening> {
        let mut out = ClientOutbox::default();
        for byte in input.as_bytes() {
            client.on_bytes(Link::Main, &[*byte], &mut out);
        }
        assert!(out.wire.is_empty());
        out.happenings
    }

    fn joined() -> Client {
        let mut client = Client::new("ana", "ana@x", Framing::Bare, 1000);
        let mut out = ClientOutbox::default();
        client.on_connected(Link::Main, &mut out);
        assert_eq!(out.wire, [(Link::Main, r#"{"CMD": "JOIN", "UN": "ana", "UID": "ana@x"}"#.into())]);
        let list = r#"{"CMD": "LIST", "DATA": [{"UN": "bob", "UID": "b@x"}, {"UN": "ana", "UID": "ana@x"}]}"#;
        let came = happenings(&mut client, &format!(r#"{{"CMD": "ACK", "TYPE": "OKAY"}}{list}"#));
        let names = vec!["bob".to_owned(), "ana".to_owned()];
        assert_eq!(came, [Happening::SignedIn { name: "ana".to_owned() }, Happening::People { names }]);
        client
    }

    fn written(call: impl FnOnce(&mut ClientOutbox) -> Result<(), ProtocolError>) -> String {
        let mut out = ClientOutbox::default();
        call(&mut out).unwrap();
        let (_, bytes) = out.wire.pop().unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn names_and_uids_are_translated_by_the_list() {
        let mut client = joined();
        for to in ["bob", "b@x"] {
            assert_eq!(
                written(|out| client.tell(to, "hi", out)),
                r#"{"CMD": "SEND", "MSG": "hi", "TO": ["b@x"], "FROM": "ana@x"}"#
            );
        }
        assert_eq!(
            written(|out| client.say("hi", out)),
            r#"{"CMD": "SEND", "MSG": "hi", "TO": [], "FROM": "ana@x"}"#
        );
        let nobody = client.tell("cid", "hi", &mut ClientOutbox::default());
        assert_eq!(nobody, Err(ProtocolError::unknown("recipient", b"cid")));
        let message = |kind: &str, from: &str| {
            format!(r#"{{"CMD": "MSG", "TYPE": "{kind}", "MSG": "}}{{\n", "FROM": "{from}"}}"#)
        };
        for (kind, from, name, private) in
            [("ALL", "b@x", "bob", false), ("GROUP", "b@x", "bob", true), ("PRIVATE", "new@x", "new@x", true)]
        {
            let text = "}{".to_owned();
            let expected = Happening::Message { from: name.to_owned(), text, private };
            assert_eq!(happenings(&mut client, &message(kind, from)), [expected]);
        }
    }

    #[test]
    fn what_other_servers_get_wrong_confuses_and_no_more() {
        let mut client = joined();
        for (input, error) in [
            (r#"{"CMD": "MSG", "TYPE": "N/A"}"#, ProtocolError::unknown("TYPE", b"N/A")),
            (r#"{"CMD": "MSG", "TYPE": "ALL", "MSG": "hi"}"#, ProtocolError::Missing { what: "FROM" }),
            (r#"{"CMD": "LIST", "DATA": [1]}"#, ProtocolError::Missing { what: "UID" }),
        ] {
            assert_eq!(happenings(&mut client, input), [Happening::Confused(error)]);
        }
        let refused = happenings(&mut client, r#"{"CMD": "ACK", "TYPE": "FAIL"}"#);
        assert!(matches!(refused.as_slice(), [Happening::Refused { code, .. }] if code == "FAIL"));
        assert!(client.say("still here", &mut ClientOutbox::default()).is_ok());
    }

    #[test]
    fn out_of_place() {
        let mut client = Client::new("ana", "ana@x", Framing::Length, 50);
        let mut out = ClientOutbox::default();
        assert!(matches!(client.say("hi", &mut out), Err(ProtocolError::OutOfPlace { .. })));
        assert!(matches!(client.typing(&mut out), Err(ProtocolError::OutOfPlace { .. })));
        let came = happenings(&mut client, &"{\"a\": [".repeat(10));
        assert!(
            matches!(came.as_slice(), [.., Happening::Ended { .. }, Happening::Hangup { .. }]),
            "{came:?}"
        );
    }
}
