//! Playing a transcript against a host.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::parse::Opening;
use crate::{Failure, Step, Transcript, escape};

/// Whoever holds the sessions: in memory with a clock of its own, or over sockets. Errors are words for the
/// author of the transcript.
pub trait Host {
    /// A setting from the top of the transcript, before anything is opened.
    ///
    /// # Errors
    /// If there is no such setting or this is no value for it.
    fn conf(&mut self, key: &str, value: &str) -> Result<(), String>;

    /// A client connects.
    ///
    /// # Errors
    /// If the name is in use or the dialect unknown.
    fn open(&mut self, opening: &Opening) -> Result<(), String>;

    /// A client connects and signs in with its dialect's own bytes; the greeting is swallowed.
    ///
    /// # Errors
    /// As for [`Host::open`], and if the login fails.
    fn join(&mut self, opening: &Opening) -> Result<(), String>;

    /// A client sends something in one piece; `binary` where the dialect has text and binary messages.
    ///
    /// # Errors
    /// If there is no such client.
    fn send(&mut self, name: &str, bytes: &[u8], binary: bool) -> Result<(), String>;

    /// What ends each of a client's messages where its dialect has lines: payloads are shown without it, and it is
    /// added to one that has no line feed at its end.
    fn line_end(&self, name: &str) -> Option<&'static [u8]> {
        let _ = name;
        None
    }

    /// A client closes its sending side.
    ///
    /// # Errors
    /// If there is no such client.
    fn close(&mut self, name: &str) -> Result<(), String>;

    /// Takes the messages that have come for a client since the last call.
    fn take(&mut self, name: &str) -> Vec<Vec<u8>>;

    /// Whether the server has closed a client's connection.
    fn is_closed(&mut self, name: &str) -> bool;

    /// Every connection that was ever made, those that [`Host::join`] made by the way included.
    fn names(&self) -> Vec<String>;

    /// Whether a client's dialect has framing, so that its bytes may come one at a time.
    fn is_framed(&self, name: &str) -> bool;

    /// Somebody takes the call that the server made to `address`, and is called `name` from now on.
    ///
    /// # Errors
    /// If the server made no such call.
    fn answer(&mut self, name: &str, address: &str) -> Result<(), String>;

    /// Nobody takes the call that the server made to `address`.
    ///
    /// # Errors
    /// If the server made no such call.
    fn busy(&mut self, address: &str) -> Result<(), String>;

    /// The calls that the server made and that were neither taken nor refused.
    fn calls(&self) -> Vec<String>;

    /// Moves the clock.
    fn advance(&mut self, by: Duration);

    /// The server goes down.
    fn shutdown(&mut self);
}

/// How a transcript's sends reach the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As they are written.
    Whole,
    /// Where the dialect has framing, a byte at a time.
    ByteAtATime,
}

/// Plays a transcript.
///
/// # Errors
/// The first difference between the transcript and what the host did.
pub fn play(transcript: &Transcript, host: &mut dyn Host, pace: Pace) -> Result<(), Failure> {
    Player::new(transcript, host, pace).run(&mut Strict)
}

/// What to do about a difference.
pub(crate) trait Judge {
    /// At `line` a message should have come; `came` is what came instead, if anything.
    fn mismatch(
        &mut self,
        line: usize,
        name: &str,
        expected: &str,
        came: Option<&[u8]>,
    ) -> Result<(), String>;
    /// Before `line` this came, or the connection was closed (`None`), and no line says so.
    fn surplus(&mut self, line: usize, name: &str, came: Option<&[u8]>) -> Result<(), String>;
}

/// Every difference is a failure.
struct Strict;

impl Judge for Strict {
    fn mismatch(&mut self, _: usize, name: &str, expected: &str, came: Option<&[u8]>) -> Result<(), String> {
        let came = came.map_or_else(|| "nothing".to_owned(), |came| format!("{name}< {}", escape(came)));
        Err(format!("expected and came:\n  {name}< {expected}\n  {came}"))
    }

    fn surplus(&mut self, _: usize, name: &str, came: Option<&[u8]>) -> Result<(), String> {
        match came {
            Some(came) => Err(format!("nobody expected:\n  {name}< {}", escape(came))),
            None => Err(format!("nobody expected the server to close:\n  {name}< EOF")),
        }
    }
}

/// A transcript that is being played.
pub(crate) struct Player<'t> {
    transcript: &'t Transcript,
    host: &'t mut dyn Host,
    pace: Pace,
    /// What came and was not read yet.
    unread: BTreeMap<String, VecDeque<Vec<u8>>>,
    /// Connections whose end needs no line any more.
    ended: Vec<String>,
}

impl<'t> Player<'t> {
    pub(crate) fn new(transcript: &'t Transcript, host: &'t mut dyn Host, pace: Pace) -> Self {
        Self { transcript, host, pace, unread: BTreeMap::new(), ended: Vec::new() }
    }

    pub(crate) fn run(mut self, judge: &mut dyn Judge) -> Result<(), Failure> {
        let file = &self.transcript.file;
        for (line, step) in &self.transcript.steps {
            self.step(*line, step, judge).map_err(|what| Failure {
                file: file.clone(),
                line: *line,
                what,
            })?;
        }
        // As if one more line followed.
        let line = self.transcript.lines.len() + 1;
        let end = self.silence(line, judge).and_then(|()| match self.host.calls().first() {
            Some(address) => Err(format!("nobody took the server's call to {address}")),
            None => Ok(()),
        });
        end.map_err(|what| Failure { file: file.clone(), line, what: format!("at the end, {what}") })
    }

    fn step(&mut self, line: usize, step: &Step, judge: &mut dyn Judge) -> Result<(), String> {
        match step {
            Step::Conf { key, value } => self.host.conf(key, value),
            Step::Open(opening) => self.host.open(opening),
            Step::Join(opening) => self.host.join(opening),
            Step::Send { name, bytes, binary } => self.send(name, bytes, *binary),
            Step::Expect { name, pattern } => {
                self.is_known(name)?;
                match self.next(name) {
                    Some(came) if pattern.matches(&came) => Ok(()),
                    came => judge.mismatch(line, name, &pattern.to_string(), came.as_deref()),
                }
            }
            Step::ExpectEnd { name } => {
                self.is_known(name)?;
                while let Some(came) = self.next(name) {
                    judge.surplus(line, name, Some(&came))?;
                }
                if !self.host.is_closed(name) {
                    judge.mismatch(line, name, "EOF", None)?;
                }
                self.ended.push(name.clone());
                Ok(())
            }
            Step::Close { name } => {
                // The server closing in its turn is what everybody expects.
                self.ended.push(name.clone());
                self.host.close(name)
            }
            Step::Answer { name, address } => self.host.answer(name, address),
            Step::Busy { address } => self.host.busy(address),
            Step::Advance(by) => {
                self.silence(line, judge)?;
                self.host.advance(*by);
                Ok(())
            }
            Step::Shutdown => {
                self.host.shutdown();
                Ok(())
            }
        }
    }

    fn send(&mut self, name: &str, bytes: &[u8], binary: bool) -> Result<(), String> {
        let end = self.host.line_end(name).filter(|_| !bytes.ends_with(b"\n")).unwrap_or_default();
        let bytes = &[bytes, end].concat();
        if self.pace == Pace::ByteAtATime && self.host.is_framed(name) {
            bytes.iter().try_for_each(|byte| self.host.send(name, &[*byte], binary))
        } else {
            self.host.send(name, bytes, binary)
        }
    }

    fn is_known(&self, name: &str) -> Result<(), String> {
        let known = self.host.names().iter().any(|known| known == name);
        if known { Ok(()) } else { Err(format!("nobody is called {name}")) }
    }

    /// The next message for a client.
    fn next(&mut self, name: &str) -> Option<Vec<u8>> {
        let unread = self.unread.entry(name.to_owned()).or_default();
        unread.extend(self.host.take(name));
        unread.pop_front()
    }

    /// Nothing may have come that no line speaks of.
    fn silence(&mut self, line: usize, judge: &mut dyn Judge) -> Result<(), String> {
        for name in self.host.names() {
            while let Some(came) = self.next(&name) {
                judge.surplus(line, &name, Some(&came))?;
            }
            if self.host.is_closed(&name) && !self.ended.contains(&name) {
                judge.surplus(line, &name, None)?;
                self.ended.push(name);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
