//! Batches that clients send: messages of several lines (draft/multiline).

use proto::irc::Line;

use super::caps::{Caps, MULTILINE_BYTES_MAX, MULTILINE_LINES_MAX};
use super::messages::Words;
use super::{Call, IrcSession, State};

/// A batch that has begun and not ended.
#[derive(Debug)]
pub(super) struct OpenBatch {
    name: String,
    target: String,
    tags: Option<String>,
    /// PRIVMSG or NOTICE, once a line has come.
    command: Option<&'static str>,
    text: String,
    seams: Vec<usize>,
    lines: usize,
    /// It broke a rule that was told already: the rest of it is passed over.
    broken: bool,
}

impl IrcSession {
    fn open_batch(&mut self) -> Option<&mut Option<Box<OpenBatch>>> {
        match &mut self.state {
            State::Active(active) => Some(&mut active.batch),
            State::Registering(_) | State::Closed => None,
        }
    }

    /// Gives up a batch that is open; whether one was. What answers it comes now.
    fn drop_batch(&mut self) -> bool {
        let dropped = self.open_batch().and_then(Option::take).is_some_and(|batch| !batch.broken);
        if dropped {
            self.flow.resume_label();
        }
        dropped
    }

    /// BATCH: begins or ends one.
    pub(super) fn on_batch(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let Some(name) = line.params.at(0) else { return self.need_more(cx, "BATCH") };
        if let Some(name) = name.strip_prefix('+') {
            return self.begin_batch(cx, name, line);
        }
        let name = name.strip_prefix('-').unwrap_or_default();
        let Some(batch) = self.open_batch().and_then(Option::take).filter(|batch| batch.name == name) else {
            return self.fail(cx, "BATCH", "INVALID", &[], "No such batch is open");
        };
        self.end_batch(cx, *batch);
    }

    fn begin_batch(&mut self, cx: &mut Call<'_>, name: &str, line: &Line<'_>) {
        let kind = line.params.at(1).unwrap_or_default();
        if name.is_empty() || kind != "draft/multiline" || !self.caps.contains(Caps::MULTILINE) {
            return self.fail(cx, "BATCH", "UNKNOWN_TYPE", &[kind], "Batches of this type are not taken");
        }
        let Some(target) = line.params.at(2).filter(|target| !target.is_empty() && !target.contains(','))
        else {
            return self.fail(cx, "BATCH", "MULTILINE_INVALID", &[], "A multiline batch has one target");
        };
        if self.drop_batch() {
            return self.fail(cx, "BATCH", "MULTILINE_INVALID", &[], "Another batch is open");
        }
        let opened = OpenBatch {
            name: name.to_owned(),
            target: target.to_owned(),
            tags: self.client_tags(line),
            command: None,
            text: String::new(),
            seams: Vec::new(),
            lines: 0,
            broken: false,
        };
        self.flow.keep_label();
        if let Some(batch) = self.open_batch() {
            *batch = Some(Box::new(opened));
        }
    }

    /// A message that belongs to a batch; whether it did.
    pub(super) fn on_batched(&mut self, cx: &mut Call<'_>, command: &'static str, line: &Line<'_>) -> bool {
        if !self.caps.contains(Caps::MULTILINE) {
            return false;
        }
        let Some(name) = line.tags.get("batch") else { return false };
        let is_open = |batch: &Option<Box<OpenBatch>>| batch.as_ref().is_some_and(|batch| batch.name == name);
        if !self.open_batch().is_some_and(|batch| is_open(batch)) {
            self.drop_batch();
            self.fail(cx, "BATCH", "MULTILINE_INVALID", &[], "No such batch is open");
            return true;
        }
        let Some(Some(batch)) = self.open_batch() else { return true };
        if batch.broken {
            return true;
        }
        let (target, text) = (line.params.at(0).unwrap_or_default(), line.params.at(1).unwrap_or_default());
        let concat = line.tags.get("draft/multiline-concat").is_some();
        if batch.lines > 0 && !concat {
            batch.text.push('\n');
        } else if concat {
            batch.seams.push(batch.text.len());
        }
        batch.text.push_str(text);
        batch.lines += 1;
        let wrong = if !batch.target.eq_ignore_ascii_case(target) {
            let about = vec![batch.target.clone(), target.to_owned()];
            Some(("MULTILINE_INVALID_TARGET", about, "Another target than the batch's"))
        } else if batch.command.is_some_and(|first| first != command) || (concat && text.is_empty()) {
            Some(("MULTILINE_INVALID", Vec::new(), "A line that can't be in this batch"))
        } else if batch.text.len() > MULTILINE_BYTES_MAX {
            let about = vec![MULTILINE_BYTES_MAX.to_string()];
            Some(("MULTILINE_MAX_BYTES", about, "The batch has too many bytes"))
        } else if batch.lines > MULTILINE_LINES_MAX {
            let about = vec![MULTILINE_LINES_MAX.to_string()];
            Some(("MULTILINE_MAX_LINES", about, "The batch has too many lines"))
        } else {
            None
        };
        batch.command = Some(command);
        if let Some((code, about, text)) = wrong {
            batch.broken = true;
            batch.text = String::new();
            let about: Vec<_> = about.iter().map(String::as_str).collect();
            self.flow.resume_label();
            self.fail(cx, "BATCH", code, &about, text);
        }
        true
    }

    fn end_batch(&mut self, cx: &mut Call<'_>, batch: OpenBatch) {
        self.flow.resume_label();
        if batch.broken {
            return;
        }
        let Some(command) = batch.command.filter(|_| !batch.text.trim_matches('\n').is_empty()) else {
            return self.fail(cx, "BATCH", "MULTILINE_INVALID", &[], "The batch says nothing");
        };
        let words = Words::of(&batch.text, command == "NOTICE", batch.tags);
        let seams = if *words.text == *batch.text { batch.seams } else { Vec::new() };
        self.say(cx, command, &batch.target, Words { seams, ..words });
    }
}
