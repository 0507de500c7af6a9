//! TLS on a connection: from the first record on, what is read goes through here before anything else sees it.

use gateway::detect::Detector;

use crate::conn::{Conn, Stage};
use crate::tls::Tls;
use crate::turn::Turn;

impl Conn {
    /// The peer begins a handshake. `first` is what it has said so far.
    pub(crate) fn begin_tls(&mut self, first: &[u8], turn: &mut Turn) {
        if self.tls.is_some() {
            return self.end("tls", &"the peer speaks TLS inside TLS", turn);
        }
        let Some(identity) = turn.shared.tls.identity() else {
            return self.end("tls", &"the peer speaks TLS, which isn't configured", turn);
        };
        self.tls = Some(Box::new(Tls::new(identity)));
        self.stage = Stage::Undecided(Detector::default());
        // Nobody has to be asked anything for a handshake, so it has no longer than a login.
        let login = turn.now.at + turn.shared.settings.login;
        self.deadline = Some(self.deadline.map_or(login, |at| at.min(login)));
        self.on_records(&mut first.to_vec(), turn);
        self.rearm(turn);
    }

    /// Records came, the first of which may have begun with what an earlier read left.
    pub(crate) fn on_records(&mut self, wire: &mut [u8], turn: &mut Turn) {
        let before = self.waiting();
        // What comes while closing is thrown away anyhow.
        let Some(tls) = self.tls.as_mut().filter(|_| !matches!(self.stage, Stage::Closing)) else { return };
        let mut text = std::mem::take(&mut turn.text);
        let was_handshaking = tls.is_handshaking();
        let opened = tls.open(wire, &mut text);
        let (ends, is_done) = (tls.is_peer_closed(), was_handshaking && !tls.is_handshaking());
        self.count_queued(before, turn);
        self.mark(turn);
        if is_done {
            self.on_handshake(turn);
        }
        if !text.is_empty() {
            self.on_bytes(&text, turn);
        }
        text.clear();
        turn.text = text;
        match opened {
            Err(error) => self.end("tls", &format_args!("TLS: {error}"), turn),
            Ok(()) if ends && !self.read_closed => self.on_end_of_input(turn),
            Ok(()) => {}
        }
    }

    /// The handshake is done. From here on the peer may be as silent as one without TLS.
    fn on_handshake(&mut self, turn: &mut Turn) {
        if let Some(tls) = &self.tls {
            tracing::debug!(peer = %self.peer, tls = tls.describe(), "handshake done");
        }
        if self.turned_away.is_none() {
            self.deadline = Some(turn.now.at + turn.shared.settings.silence);
        }
    }
}
