//! Testing a file: playing it, or, where `UPDATE=1` is set, rewriting what it expects.

use std::collections::BTreeMap;
use std::path::Path;

use crate::play::{Judge, Player};
use crate::{Failure, Host, Pace, Transcript, escape, play};

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tested {
    /// It was played and all was as written.
    Played,
    /// It was rewritten.
    Updated,
}

/// Plays a transcript's file at each of `paces`, each time against a new host. With the environment variable
/// `UPDATE=1` the file's `<` lines are first rewritten to what comes at the first pace.
///
/// # Errors
/// If the file can't be read or is no transcript, or at the first difference.
pub fn test<H: Host>(path: &Path, paces: &[Pace], mut host: impl FnMut() -> H) -> Result<Tested, Failure> {
    let file = path.display().to_string();
    let io = |error: std::io::Error| Failure { file: file.clone(), line: 0, what: error.to_string() };
    let text = std::fs::read_to_string(path).map_err(io)?;
    let mut transcript = Transcript::parse(&file, &text)?;
    let mut tested = Tested::Played;
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        let updated = update(&transcript, &mut host())?;
        if updated != text {
            std::fs::write(path, &updated).map_err(io)?;
            transcript = Transcript::parse(&file, &updated)?;
            tested = Tested::Updated;
        }
    }
    for pace in paces {
        play(&transcript, &mut host(), *pace)
            .map_err(|failure| Failure { what: format!("{}\n  ({pace:?})", failure.what), ..failure })?;
    }
    Ok(tested)
}

/// The transcript's text with its `<` lines as the host would have them.
///
/// # Errors
/// Whatever is no matter of `<` lines.
pub(crate) fn update(transcript: &Transcript, host: &mut dyn Host) -> Result<String, Failure> {
    let mut edits = Edits::default();
    Player::new(transcript, host, Pace::Whole).run(&mut edits)?;
    let mut text = String::new();
    for (index, line) in transcript.lines.iter().enumerate() {
        edits.insert(index + 1, &mut text);
        match edits.replaced.get(&(index + 1)) {
            Some(None) => {}
            Some(Some(line)) => push_line(&mut text, line),
            None => push_line(&mut text, line),
        }
    }
    edits.insert(transcript.lines.len() + 1, &mut text);
    Ok(text)
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// Differences, taken down instead of failing.
#[derive(Default)]
struct Edits {
    /// New contents of lines; `None`: the line goes.
    replaced: BTreeMap<usize, Option<String>>,
    /// Lines that come before others.
    inserted: BTreeMap<usize, Vec<String>>,
}

impl Edits {
    fn insert(&self, line: usize, text: &mut String) {
        self.inserted.get(&line).into_iter().flatten().for_each(|line| push_line(text, line));
    }
}

impl Judge for Edits {
    fn mismatch(&mut self, line: usize, name: &str, _: &str, came: Option<&[u8]>) -> Result<(), String> {
        self.replaced.insert(line, came.map(|came| format!("{name}< {}", escape(came))));
        Ok(())
    }

    fn surplus(&mut self, line: usize, name: &str, came: Option<&[u8]>) -> Result<(), String> {
        let came = came.map_or_else(|| "EOF".to_owned(), escape);
        self.inserted.entry(line).or_default().push(format!("{name}< {came}"));
        Ok(())
    }
}
