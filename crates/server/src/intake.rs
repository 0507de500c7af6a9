//! What comes in on a connection, from the first byte on.

use std::io::{ErrorKind, Read};

use bytes::Bytes;
use gateway::detect::Verdict;
use gateway::{Carrier, Close};
use hub::Dialect;
use tungstenite::protocol::frame::coding::CloseCode;

use crate::conn::{Conn, Stage};
use crate::drain::TurnedAway;
use crate::http::head::{BUSY, FORBIDDEN, Head, Protocol, read_head};
use crate::metrics::Kind;
use crate::plain::Plain;
use crate::turn::Turn;
use crate::ws::{self, Failure, Incoming, WebSocket};

/// Room for an acknowledgement, and more than mostly comes with it.
const RECEIPT_BYTES: usize = 256;

impl Conn {
    /// Reads once; whether there may be more at once.
    pub(crate) fn read(&mut self, buffer: &mut [u8], turn: &mut Turn) -> bool {
        if self.read_closed || self.gone {
            return false;
        }
        // What is left of earlier TLS records comes before what comes now.
        let held = self.tls.as_ref().map_or(0, |tls| tls.put_back(buffer));
        match Plain::new(&self.socket).read(&mut buffer[held..]) {
            Ok(0) => self.on_end_of_input(turn),
            Ok(len) => {
                turn.tally.bytes_in += len as u64;
                let end = held + len;
                if self.tls.is_some() {
                    self.on_records(&mut buffer[..end], turn);
                } else {
                    self.on_bytes(&buffer[..end], turn);
                }
                // Less than was asked for is all there is, but for the end, which comes by itself.
                return end == buffer.len() || self.input_ends;
            }
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => return true,
                ErrorKind::WouldBlock => {}
                _ => self.lost(turn),
            },
        }
        false
    }

    /// Reads what a peer says that only acknowledges, without being told that there is something.
    pub(crate) fn hear_receipt(&mut self, turn: &mut Turn) {
        // Encrypted, it might not fit.
        if self.is_receiver && self.tls.is_none() && self.read(&mut [0; RECEIPT_BYTES], turn) {
            self.read_again(turn);
        }
    }

    pub(crate) fn on_bytes(&mut self, bytes: &[u8], turn: &mut Turn) {
        match &mut self.stage {
            Stage::Undecided(detector) => {
                let seen = *detector;
                let verdict = match self.pinned {
                    None | Some(Dialect::Tmp) => detector.feed(bytes),
                    Some(dialect) if self.tls.is_none() && turn.shared.tls.is_on() => {
                        detector.feed_pinned(dialect, bytes)
                    }
                    Some(dialect) => Verdict::Dialect(dialect),
                };
                if seen.seen().is_empty() {
                    self.on_verdict(verdict, bytes, turn);
                } else {
                    self.on_verdict(verdict, &[seen.seen(), bytes].concat(), turn);
                }
            }
            Stage::Http(head) => {
                head.extend_from_slice(bytes);
                self.on_head(bytes.len(), turn);
            }
            Stage::Session(_) if self.websocket.is_some() => self.on_frames(bytes, turn),
            Stage::Session(_) => self.call(turn, |session, now, out| session.on_bytes(now, bytes, out)),
            Stage::Web(_) | Stage::Dialing(_) | Stage::Closing => {}
        }
    }

    /// The first bytes have been looked at; `bytes` is all of them.
    fn on_verdict(&mut self, verdict: Verdict, bytes: &[u8], turn: &mut Turn) {
        let word = match verdict {
            Verdict::Undecided => "undecided",
            Verdict::Tls => "tls",
            Verdict::Http => "http",
            Verdict::Dialect(dialect) => dialect.as_str(),
        };
        tracing::debug!(peer = %self.peer, verdict = word, bytes = bytes.len(), "detected");
        match verdict {
            Verdict::Tls => self.begin_tls(bytes, turn),
            Verdict::Dialect(_) if self.pinned == Some(Dialect::Tmp) => {
                self.end("protocol", &"no WebSocket handshake on a port for tmp", turn);
            }
            Verdict::Dialect(dialect) => {
                self.open(dialect, None, turn);
                self.on_bytes(bytes, turn);
            }
            Verdict::Undecided | Verdict::Http => {
                // From the first byte on, the time for the login runs.
                let login = turn.now.at + turn.shared.settings.login;
                self.deadline = Some(self.deadline.map_or(login, |at| at.min(login)));
                if verdict == Verdict::Http {
                    self.become_kind(Kind::Http, turn);
                    self.stage = Stage::Http(bytes.to_vec());
                    self.on_head(bytes.len(), turn);
                }
                self.rearm(turn);
            }
        }
    }

    /// No more bytes will tell the protocol: what came begins like a keyword and isn't one.
    pub(crate) fn settle(&mut self, turn: &mut Turn) {
        if let Stage::Undecided(detector) = self.stage {
            let dialect = self.pinned.unwrap_or(Dialect::Rooms);
            self.on_verdict(Verdict::Dialect(dialect), detector.seen(), turn);
        }
    }

    fn on_head(&mut self, new: usize, turn: &mut Turn) {
        let turned_away = self.turned_away(turn);
        let Stage::Http(head) = &mut self.stage else { return };
        match read_head(head, new, self.pinned.is_none()) {
            Head::Partial => {}
            Head::Refused(answer) => {
                self.push(Bytes::from_static(answer.as_bytes()), turn);
                self.end("bad_request", &"the HTTP request can't be served", turn);
            }
            Head::Web if matches!(turned_away, Some(TurnedAway::Banned(_))) => {
                self.push(Bytes::from_static(FORBIDDEN.as_bytes()), turn);
                self.close(&Close::Banned, turn);
            }
            // A monitor that asks how the server is wants an answer also while it waits for everybody to leave.
            Head::Web if turned_away == Some(TurnedAway::Full) || turn.shared.web.is_full() => {
                self.push(Bytes::from_static(BUSY.as_bytes()), turn);
                self.end("server_full", &"too many web requests", turn);
            }
            Head::Web => {
                self.stage = Stage::Web(std::mem::take(head));
                self.gone = true;
                self.mark(turn);
            }
            Head::Upgrade { response, protocol, room, len } => {
                let frames = head.split_off(len);
                self.push(Bytes::from(response), turn);
                let limit = turn.shared.settings.frame_bytes_max;
                let (dialect, carrier) = match protocol {
                    Protocol::Tmp => (Dialect::Tmp, Carrier::WebSocketText),
                    Protocol::IrcText => (Dialect::Irc, Carrier::WebSocketText),
                    Protocol::IrcBinary => (Dialect::Irc, Carrier::WebSocketBinary),
                };
                self.websocket = Some(Box::new(WebSocket::new(turn.now.at, limit, carrier)));
                self.open(dialect, room, turn);
                self.on_frames(&frames, turn);
            }
        }
    }

    fn on_frames(&mut self, bytes: &[u8], turn: &mut Turn) {
        let Some(websocket) = &mut self.websocket else { return };
        websocket.heard = turn.now.at;
        websocket.pinged = false;
        websocket.decoder.feed(bytes);
        // The WebSocket is gone as soon as the connection is closing.
        while let Some(websocket) = &mut self.websocket {
            match websocket.decoder.next_message() {
                Ok(None) => return,
                Ok(Some(incoming)) => self.on_message(incoming, turn),
                Err(Failure { code, error }) => {
                    websocket.close_code = code;
                    self.close(&Close::Protocol(error), turn);
                }
            }
        }
    }

    fn on_message(&mut self, incoming: Incoming, turn: &mut Turn) {
        match incoming {
            Incoming::Text(text) => self.call(turn, |session, now, out| session.on_bytes(now, &text, out)),
            Incoming::Binary(bytes) => {
                self.call(turn, |session, now, out| session.on_binary(now, &bytes, out));
            }
            Incoming::Ping(payload) => {
                let (header, payload) = ws::pong(payload);
                self.push_frame(header, payload, turn);
            }
            Incoming::Pong => {}
            Incoming::Close(code) => self.on_websocket_close(code, turn),
        }
    }

    fn on_websocket_close(&mut self, code: CloseCode, turn: &mut Turn) {
        if let Some(websocket) = &mut self.websocket {
            websocket.close_code = code;
        }
        self.call(turn, |session, now, out| session.on_eof(now, out));
        self.close(&Close::ByPeer, turn);
    }
}
