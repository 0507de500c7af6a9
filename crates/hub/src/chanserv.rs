//! ChanServ: registered rooms by messages.

use crate::{Effect, Hub, Now, Refusal, SessionId};

/// The name that the service goes by.
pub(crate) const CHANSERV: &str = "ChanServ";

const HELP: &str = "REGISTER #room: makes a room yours in which you are operator; it stays when everybody leaves\n\
    INFO #room: whose it is\n\
    TRANSFER #room account: gives it to another account\n\
    DROP #room: it is nobody's any more and goes with its last member";

impl Hub {
    /// What somebody has written to ChanServ.
    pub(crate) fn serve_rooms(&mut self, now: Now, from: SessionId, text: &str, fx: &mut Vec<Effect>) {
        let mut words = text.split_whitespace();
        let verb = words.next().unwrap_or_default().to_ascii_uppercase();
        // Other protocols write rooms without the mark.
        let words: Vec<&str> = words.map(|word| word.strip_prefix('#').unwrap_or(word)).collect();
        let answer = match (verb.as_str(), words.as_slice()) {
            ("REGISTER", [room]) => self
                .register_room(now, from, room, fx)
                .map(|_| format!("The room {room} is yours, and stays.")),
            ("INFO", [room]) => self.room_owner(from, room),
            ("TRANSFER", [room, account]) => self
                .own_room(from, room)
                .and_then(|id| self.transfer_room(now, id, account, fx))
                .map(|()| format!("The room {room} is {account}'s.")),
            ("DROP", [room]) => self.own_room(from, room).map(|id| {
                self.release_room(id, fx);
                format!("The room {room} is nobody's any more.")
            }),
            _ => Ok(HELP.to_owned()),
        };
        let text = answer.unwrap_or_else(|refusal| refusal.to_string());
        self.service_says(now, from, CHANSERV, &text, fx);
    }

    fn room_owner(&self, from: SessionId, spelled: &str) -> Result<String, Refusal> {
        let user = self.speaker(from)?.user();
        let room = self.room_spelled(spelled).and_then(|id| self.rooms.get(&id));
        let room = room.filter(|room| self.knows_room(user, room));
        let room = room.ok_or_else(|| crate::membership::no_room(spelled))?;
        Ok(match room.registration.as_deref() {
            Some(registration) => format!("The room {spelled} is {}'s.", registration.founder),
            None => format!("The room {spelled} is nobody's."),
        })
    }
}
