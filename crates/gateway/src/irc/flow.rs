//! What waits for the hub's answers, so that everything goes out in the order in which it was asked for.
//!
//! The hub answers each command once, in order. For each that is under way there is a [`Pending`] that tells what
//! its answer is for. What the session itself has to say meanwhile stands in line too. A client's next line is
//! begun only when nothing is pending, but for plain messages after plain messages: those need no answer.
//!
//! Where a command carries a label (IRCv3 labeled-response), what answers it is gathered here until it is complete.

use std::collections::VecDeque;

use hub::Reply;
use proto::irc::{Writer, tags};

use super::asked::Asked;

/// What waits, in order, and the label of what is being answered.
#[derive(Debug, Default)]
pub(super) struct Flow {
    pending: Queue,
    label: Option<Box<Label>>,
    /// Whether only plain messages are pending.
    plain: bool,
    /// The label of a batch that a client has begun: what answers it comes at its end.
    kept: Option<Box<Label>>,
}

#[derive(Debug)]
enum Pending {
    Asked(Asked),
    /// Lines of the session's own.
    Lines(Vec<u8>),
}

/// Mostly one is pending, which has its place here; only several take memory of their own, for as long as they wait.
#[derive(Debug, Default)]
struct Queue {
    /// There unless nothing is.
    first: Option<Pending>,
    others: VecDeque<Pending>,
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    fn push(&mut self, pending: Pending) {
        match self.first {
            None => self.first = Some(pending),
            Some(_) => self.others.push_back(pending),
        }
    }

    fn last_mut(&mut self) -> Option<&mut Pending> {
        self.others.back_mut().or(self.first.as_mut())
    }

    /// Takes the first that is meant out of the queue.
    fn take(&mut self, is_it: impl Fn(&Pending) -> bool) -> Option<Pending> {
        let taken = match &self.first {
            Some(first) if is_it(first) => std::mem::replace(&mut self.first, self.others.pop_front()),
            _ => self.others.iter().position(is_it).and_then(|at| self.others.remove(at)),
        };
        if self.others.is_empty() {
            self.others = VecDeque::new();
        }
        taken
    }

    /// Takes the first one if it is lines of the session's own.
    fn take_lines(&mut self) -> Option<Vec<u8>> {
        match self.first.take_if(|first| matches!(first, Pending::Lines(_)))? {
            Pending::Lines(lines) => {
                self.first = self.others.pop_front();
                Some(lines)
            }
            Pending::Asked(_) => None,
        }
    }
}

#[derive(Debug)]
struct Label {
    label: String,
    lines: Vec<u8>,
}

impl Flow {
    /// Whether nothing is pending.
    pub(super) fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether a line may be begun. `plain`: it is a plain message.
    pub(super) fn admits(&self, plain: bool) -> bool {
        self.is_idle() || (plain && self.plain && self.label.is_none())
    }

    /// A line is begun.
    pub(super) fn begin(&mut self, label: Option<String>, plain: bool) {
        self.plain = plain;
        if label.is_some() {
            self.label = label.map(|label| Box::new(Label { label, lines: Vec::new() }));
        }
    }

    /// The label of this line is for something that later lines complete.
    pub(super) fn keep_label(&mut self) {
        self.kept = self.label.take();
    }

    /// What the kept label was for is complete.
    pub(super) fn resume_label(&mut self) {
        if let Some(label) = self.kept.take() {
            self.label = Some(label);
        }
    }

    /// The hub was asked something.
    pub(super) fn ask(&mut self, asked: Asked) {
        self.pending.push(Pending::Asked(asked));
    }

    /// The hub has answered: what that answers. What has to be looked up takes its time, and what the session asks
    /// meanwhile because something happens is answered before it.
    pub(super) fn answered(&mut self, reply: &Reply) -> Option<Asked> {
        let is_it = |pending: &Pending| match (pending, reply) {
            (Pending::Lines(_), _) => false,
            (Pending::Asked(_), Reply::Refused { .. }) => true,
            (Pending::Asked(asked), reply) => asked.is_recall() == matches!(reply, Reply::Recalled(_)),
        };
        match self.pending.take(is_it) {
            Some(Pending::Asked(asked)) => Some(asked),
            Some(Pending::Lines(_)) | None => None,
        }
    }

    /// The first message that is pending is delivered, of which clients aren't told: whether that is settled, and lets
    /// nothing go out that stood behind it.
    pub(super) fn delivered(&mut self) -> bool {
        let said = matches!(self.pending.first, Some(Pending::Asked(Asked::Say { .. })));
        let lets_out = self.label.is_some() || matches!(self.pending.others.front(), Some(Pending::Lines(_)));
        said && !lets_out && self.pending.take(|_| true).is_some()
    }

    /// Whether lines are being gathered for a label.
    pub(super) fn is_labeled(&self) -> bool {
        self.label.is_some()
    }

    /// Where the session's own lines go. `direct` if nothing stands before them.
    pub(super) fn sink<'s>(&'s mut self, answering: bool, direct: &'s mut Vec<u8>) -> &'s mut Vec<u8> {
        if let Some(label) = &mut self.label {
            return &mut label.lines;
        }
        if answering || self.pending.is_empty() {
            return direct;
        }
        if !matches!(self.pending.last_mut(), Some(Pending::Lines(_))) {
            self.pending.push(Pending::Lines(Vec::new()));
        }
        match self.pending.last_mut() {
            Some(Pending::Lines(lines)) => lines,
            Some(Pending::Asked(_)) | None => direct,
        }
    }

    /// The session ends: what was written goes out, what waits doesn't come any more.
    pub(super) fn abandon(&mut self, server: &str, batch: &mut u32, out: &mut Vec<u8>) {
        let Queue { first, others } = std::mem::take(&mut self.pending);
        for pending in first.into_iter().chain(others) {
            if let Pending::Lines(lines) = pending {
                out.extend_from_slice(&lines);
            }
        }
        self.settle(server, batch, out);
    }

    /// Puts out what nothing stands before any more; when all is answered, the labeled answer too. `server` says it.
    pub(super) fn settle(&mut self, server: &str, batch: &mut u32, out: &mut Vec<u8>) {
        while let Some(lines) = self.pending.take_lines() {
            out.extend_from_slice(&lines);
        }
        if !self.pending.is_empty() {
            return;
        }
        if let Some(label) = self.label.take() {
            answer(server, &label.label, &label.lines, batch, out);
        }
    }
}

/// Writes what answers a labeled command: an acknowledgement, one labeled line, or a labeled batch.
fn answer(server: &str, label: &str, lines: &[u8], batch: &mut u32, out: &mut Vec<u8>) {
    let lines: Vec<&[u8]> =
        lines.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let mut tag = b"label=".to_vec();
    tags::escape_into(label, &mut tag);
    let outer: Vec<_> = lines.iter().filter(|line| !is_inside_batch(line)).collect();
    match outer.as_slice() {
        [] => Writer::new(out).tag("label", label).source(server).command("ACK").end(),
        [_] => tag_first(&lines, &tag, out),
        [_, end] if is_batch_end(end) => tag_first(&lines, &tag, out),
        _ => {
            *batch = batch.wrapping_add(1);
            let name = format!("l{batch}");
            Writer::new(out)
                .tag("label", label)
                .source(server)
                .command("BATCH")
                .param(&format!("+{name}"))
                .param("labeled-response")
                .end();
            for line in lines {
                match is_inside_batch(line) {
                    true => out.extend_from_slice(line),
                    false => with_tag(line, format!("batch={name}").as_bytes(), out),
                }
            }
            Writer::new(out).source(server).command("BATCH").param(&format!("-{name}")).end();
        }
    }
}

fn tag_first(lines: &[&[u8]], tag: &[u8], out: &mut Vec<u8>) {
    for (index, line) in lines.iter().enumerate() {
        if index == 0 { with_tag(line, tag, out) } else { out.extend_from_slice(line) }
    }
}

/// A line with one more tag.
pub(super) fn with_tag(line: &[u8], tag: &[u8], out: &mut Vec<u8>) {
    out.push(b'@');
    out.extend_from_slice(tag);
    match line.strip_prefix(b"@") {
        Some(rest) => {
            out.push(b';');
            out.extend_from_slice(rest);
        }
        None => {
            out.push(b' ');
            out.extend_from_slice(line);
        }
    }
}

pub(super) fn is_inside_batch(line: &[u8]) -> bool {
    let Some(tags) = line.strip_prefix(b"@") else { return false };
    let tags = tags.split(|byte| *byte == b' ').next().unwrap_or_default();
    tags.split(|byte| *byte == b';').any(|tag| tag.starts_with(b"batch="))
}

pub(super) fn is_batch_end(line: &[u8]) -> bool {
    let mut words =
        line.split(|byte| *byte == b' ').skip_while(|word| word.starts_with(b"@") || word.starts_with(b":"));
    words.next() == Some(b"BATCH") && words.next().is_some_and(|name| name.starts_with(b"-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labeled(lines: &str) -> String {
        let mut out = Vec::new();
        answer("s", "x;y", lines.as_bytes(), &mut 0, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_looked_up_may_be_overtaken() {
        let mut flow = Flow::default();
        flow.ask(Asked::Search);
        flow.ask(Asked::List);
        flow.ask(Asked::Ison);
        assert!(matches!(flow.answered(&Reply::Done), Some(Asked::List)));
        let found = Reply::Recalled(hub::Recalled::Failed);
        assert!(matches!(flow.answered(&found), Some(Asked::Search)));
        assert!(flow.answered(&found).is_none());
        assert!(matches!(flow.answered(&Reply::Done), Some(Asked::Ison)));
        assert!(flow.is_idle());
    }

    #[test]
    fn an_answer_is_an_ack_a_line_or_a_batch() {
        assert_eq!(labeled(""), "@label=x\\:y :s ACK\r\n");
        assert_eq!(labeled(":s PONG a\r\n"), "@label=x\\:y :s PONG a\r\n");
        assert_eq!(labeled("@time=1 :s PONG a\r\n"), "@label=x\\:y;time=1 :s PONG a\r\n");
        assert_eq!(
            labeled(":s A\r\n@t :s B\r\n"),
            "@label=x\\:y :s BATCH +l1 labeled-response\r\n@batch=l1 :s A\r\n@batch=l1;t :s B\r\n:s BATCH -l1\r\n"
        );
        let inner = ":a BATCH +m1 draft/multiline #c\r\n@batch=m1 :a PRIVMSG #c :x\r\n:a BATCH -m1\r\n";
        assert_eq!(labeled(inner), format!("@label=x\\:y {inner}"));
    }
}
