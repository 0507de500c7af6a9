//! What goes out on one connection: answers, and FORWARDs one at a time.
//!
//! Of this protocol's clients, most take what one `recv` gives for one message. So a FORWARD follows another
//! message only after a gap, or when the client has shown by its acknowledgement that it has read that one.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use hub::{Command, EventId, Now, Shared, Verdict};

use crate::{Close, Due, Outbox, Settings};

/// The way out of one connection. A connection without the receiving role has hardly anything in it.
#[derive(Debug, Default)]
pub(super) struct Outlet {
    /// Before this nothing may follow the last message, where that matters.
    free_at: Option<Instant>,
    mail: Option<Box<Mail>>,
}

/// What a connection with the receiving role has.
#[derive(Debug)]
struct Mail {
    /// Both roles are on this connection: answers too keep their distance.
    is_shared: bool,
    answers: VecDeque<Bytes>,
    forwards: VecDeque<Forward>,
    queued_bytes: usize,
    /// The FORWARD that is out.
    awaited: Option<Awaited>,
    /// A part of the message that is going out was answered with an error.
    is_rejected: bool,
    /// Whether this client acknowledges.
    acknowledges: bool,
}

/// A message whose last part has its turn.
#[derive(Debug, Clone, Copy)]
struct Message {
    event: EventId,
    /// Whether its sender waits to be told. Mostly none does, and the hub isn't troubled.
    is_awaited: bool,
}

#[derive(Debug)]
struct Forward {
    bytes: Bytes,
    completes: Option<Message>,
}

#[derive(Debug)]
struct Awaited {
    completes: Option<Message>,
    /// When it counts as acknowledged.
    until: Instant,
}

impl Outlet {
    /// The connection has been given the receiving role, or both.
    pub(super) fn receives(&mut self, is_shared: bool) {
        let mail = self.mail.get_or_insert_with(|| {
            Box::new(Mail {
                is_shared,
                answers: VecDeque::new(),
                forwards: VecDeque::new(),
                queued_bytes: 0,
                awaited: None,
                is_rejected: false,
                acknowledges: true,
            })
        });
        mail.is_shared = is_shared;
    }

    /// The connection has lost its roles. Answers still go out.
    pub(super) fn drop_forwards(&mut self) {
        if let Some(mail) = &mut self.mail {
            mail.queued_bytes = mail.answers.iter().map(Bytes::len).sum();
            mail.forwards = VecDeque::new();
            mail.awaited = None;
        }
    }

    /// Sends an answer; on a shared connection when its time has come.
    pub(super) fn answer(&mut self, settings: &Settings, now: Now, answer: Bytes, out: &mut Outbox) {
        match self.mail.as_mut().filter(|mail| mail.is_shared) {
            Some(mail) => {
                mail.queued_bytes += answer.len();
                mail.answers.push_back(answer);
                self.pump(settings, now, out);
            }
            None => {
                out.send(answer);
                self.free_at = Some(now.at + settings.messenger_gap);
            }
        }
    }

    /// Queues a message in as many parts as it takes.
    pub(super) fn forward(
        &mut self,
        settings: &Settings,
        now: Now,
        event: &Shared,
        parts: &[Bytes],
        out: &mut Outbox,
    ) {
        let is_free = self.is_free(now);
        let Some(mail) = &mut self.mail else { return };
        let message = Message { event: event.id, is_awaited: event.is_awaited() };
        if let [whole] = parts
            && is_free
            && mail.is_idle()
        {
            mail.send(Forward { bytes: whole.clone(), completes: Some(message) }, settings, now, out);
            self.free_at = Some(now.at + settings.messenger_gap);
            return;
        }
        for (index, part) in parts.iter().enumerate() {
            mail.queued_bytes += part.len();
            let completes = (index + 1 == parts.len()).then_some(message);
            mail.forwards.push_back(Forward { bytes: part.clone(), completes });
        }
        if parts.is_empty() && message.is_awaited {
            // There is nothing to show, and so nothing to wait for.
            out.command(Command::Receipt { event: event.id, verdict: Verdict::Received });
        }
        self.pump(settings, now, out);
    }

    /// The client has acknowledged something, here or on its other connection.
    pub(super) fn acknowledged(&mut self, settings: &Settings, now: Now, verdict: Verdict, out: &mut Outbox) {
        let Some(mail) = &mut self.mail else { return };
        mail.acknowledges = true;
        if let Some(awaited) = mail.awaited.take() {
            mail.is_rejected |= verdict == Verdict::Rejected;
            mail.complete(awaited.completes, out);
            if !mail.is_shared {
                self.free_at = None;
            }
        }
        self.pump(settings, now, out);
    }

    /// Does what has become due.
    pub(super) fn on_timer(&mut self, settings: &Settings, now: Now, out: &mut Outbox) {
        if let Some(mail) = &mut self.mail
            && let Some(awaited) = mail.awaited.take_if(|awaited| awaited.until <= now.at)
        {
            mail.acknowledges = false;
            mail.complete(awaited.completes, out);
        }
        self.pump(settings, now, out);
    }

    /// When [`Outlet::on_timer`] has something to do.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let mail = self.mail.as_ref()?;
        let awaited = mail.awaited.as_ref().map(|awaited| awaited.until);
        let may_go = !mail.answers.is_empty() || (awaited.is_none() && !mail.forwards.is_empty());
        [awaited, self.free_at.filter(|_| may_go)].into_iter().flatten().min()
    }

    /// What the client is to be heard for, if it does nothing but receive.
    pub(super) fn due(&self) -> Due {
        match self.mail.as_deref() {
            None | Some(Mail { is_shared: true, .. }) => Due::Anything,
            Some(Mail { awaited: None, .. }) => Due::Nothing,
            Some(Mail { awaited: Some(Awaited { completes: Some(message), .. }), forwards, .. })
                if !message.is_awaited && forwards.is_empty() =>
            {
                Due::Receipt
            }
            Some(_) => Due::UrgentReceipt,
        }
    }

    /// Whether no answer waits for its gap.
    pub(super) fn is_answered(&self) -> bool {
        self.mail.as_ref().is_none_or(|mail| mail.answers.is_empty())
    }

    /// Sends the answers that wait, without gaps: the connection ends.
    pub(super) fn flush(&mut self, out: &mut Outbox) {
        if let Some(mail) = self.mail.take() {
            out.wire.extend(mail.answers);
        }
    }

    /// Whether a message may go out, as far as the one before it is concerned.
    fn is_free(&self, now: Now) -> bool {
        self.free_at.is_none_or(|at| at <= now.at)
    }

    /// Sends what may go out of what waits.
    fn pump(&mut self, settings: &Settings, now: Now, out: &mut Outbox) {
        while self.is_free(now) {
            let Some(mail) = &mut self.mail else { return };
            if let Some(answer) = mail.answers.pop_front() {
                mail.queued_bytes -= answer.len();
                out.send(answer);
            } else if mail.awaited.is_none()
                && let Some(forward) = mail.forwards.pop_front()
            {
                mail.queued_bytes -= forward.bytes.len();
                mail.send(forward, settings, now, out);
            } else {
                break;
            }
            self.free_at = Some(now.at + settings.messenger_gap);
        }
        let Some(mail) = &mut self.mail else { return };
        if mail.queued_bytes > settings.queue_bytes_max {
            out.close(Close::SlowReader { queued: mail.queued_bytes });
        }
        // Drained, they own no memory.
        if mail.answers.is_empty() && mail.answers.capacity() > 0 {
            mail.answers = VecDeque::new();
        }
        if mail.forwards.is_empty() && mail.forwards.capacity() > 0 {
            mail.forwards = VecDeque::new();
        }
    }
}

impl Mail {
    /// Whether nothing waits, neither here nor for the client.
    fn is_idle(&self) -> bool {
        self.awaited.is_none() && self.answers.is_empty() && self.forwards.is_empty()
    }

    /// Sends a FORWARD.
    fn send(&mut self, forward: Forward, settings: &Settings, now: Now, out: &mut Outbox) {
        let Forward { bytes, completes } = forward;
        if self.acknowledges {
            self.awaited = Some(Awaited { completes, until: now.at + settings.messenger_receipt });
        } else {
            self.complete(completes, out);
        }
        out.send(bytes);
    }

    /// A part has been served; if it was the last one, its sender is told.
    fn complete(&mut self, completes: Option<Message>, out: &mut Outbox) {
        let Some(Message { event, is_awaited }) = completes else { return };
        let verdict = if self.is_rejected { Verdict::Rejected } else { Verdict::Received };
        self.is_rejected = false;
        if is_awaited {
            out.command(Command::Receipt { event, verdict });
        }
    }
}
