//! From lines to steps.

use std::net::IpAddr;
use std::time::Duration;

use crate::{Failure, Pattern, payload};

/// A transcript, read but not played yet.
#[derive(Debug, Clone)]
pub struct Transcript {
    /// The file, as it was named.
    pub file: String,
    /// The lines as they are written.
    pub(crate) lines: Vec<String>,
    /// The steps, each with the number of its line, counted from 1.
    pub(crate) steps: Vec<(usize, Step)>,
}

/// One line's meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `conf KEY=VALUE`
    Conf {
        /// The setting.
        key: String,
        /// Its value.
        value: String,
    },
    /// `open NAME DIALECT [ARGUMENT] [from ADDRESS]`
    Open(Opening),
    /// `join NAME DIALECT [ROOM] [from ADDRESS]`
    Join(Opening),
    /// `NAME> PAYLOAD`
    Send {
        /// Who.
        name: String,
        /// What.
        bytes: Vec<u8>,
        /// Whether it is written as binary.
        binary: bool,
    },
    /// `NAME< PAYLOAD`
    Expect {
        /// Who.
        name: String,
        /// What.
        pattern: Pattern,
    },
    /// `NAME< EOF`
    ExpectEnd {
        /// Who.
        name: String,
    },
    /// `close NAME`
    Close {
        /// Who.
        name: String,
    },
    /// `answer NAME ADDRESS`
    Answer {
        /// Who takes the call.
        name: String,
        /// What the server called.
        address: String,
    },
    /// `busy ADDRESS`
    Busy {
        /// What the server called.
        address: String,
    },
    /// `~ TIME`
    Advance(Duration),
    /// `shutdown`
    Shutdown,
}

/// A connection that is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// What the transcript calls it.
    pub name: String,
    /// The protocol that it speaks.
    pub dialect: String,
    /// The room, or whatever else the dialect has from the start.
    pub argument: Option<String>,
    /// Where it comes from.
    pub from: Option<IpAddr>,
}

impl Transcript {
    /// Reads a transcript; `file` is what failures call it.
    ///
    /// # Errors
    /// The first line that is not understood.
    pub fn parse(file: &str, text: &str) -> Result<Self, Failure> {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut steps = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            let line_number = index + 1;
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let failure = |what| Failure { file: file.to_owned(), line: line_number, what };
            let step = step(line).map_err(failure)?;
            if matches!(step, Step::Conf { .. })
                && steps.iter().any(|(_, earlier)| !matches!(earlier, Step::Conf { .. }))
            {
                return Err(failure("`conf` comes before everything else".to_owned()));
            }
            steps.push((line_number, step));
        }
        Ok(Self { file: file.to_owned(), lines, steps })
    }

    /// The value of a `conf` line, if the transcript has one for `key`.
    #[must_use]
    pub fn conf(&self, key: &str) -> Option<&str> {
        self.steps.iter().find_map(|(_, step)| match step {
            Step::Conf { key: found, value } if found == key => Some(value.as_str()),
            _ => None,
        })
    }
}

fn step(line: &str) -> Result<Step, String> {
    if line.ends_with(char::is_whitespace) {
        return Err("the line ends in white space; write `\\s` for a space that belongs to it".to_owned());
    }
    if let Some(step) = payload_step(line) {
        return step;
    }
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        ["conf", setting] => {
            let (key, value) = setting.split_once('=').ok_or("`conf` takes KEY=VALUE")?;
            Ok(Step::Conf { key: key.to_owned(), value: value.to_owned() })
        }
        ["open", rest @ ..] => opening(rest).map(Step::Open),
        ["join", rest @ ..] => opening(rest).map(Step::Join),
        ["close", name] => Ok(Step::Close { name: named(name)? }),
        ["answer", name, address] => Ok(Step::Answer { name: named(name)?, address: (*address).to_owned() }),
        ["busy", address] => Ok(Step::Busy { address: (*address).to_owned() }),
        ["~", time] => Ok(Step::Advance(duration(time)?)),
        ["shutdown"] => Ok(Step::Shutdown),
        _ => Err(format!("not a line of a transcript: {line}")),
    }
}

/// `NAME> …` and `NAME< …`; `None` if the line is of another kind.
fn payload_step(line: &str) -> Option<Result<Step, String>> {
    let end = line.find(|c: char| !is_of_name(c)).filter(|end| *end > 0)?;
    let (name, rest) = line.split_at(end);
    let (sends, rest) = match (rest.strip_prefix('>'), rest.strip_prefix('<')) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        (None, None) => return None,
    };
    let payload = match rest.strip_prefix(' ') {
        Some(payload) => payload,
        None if rest.is_empty() => "",
        None => return Some(Err("one space comes before the payload".to_owned())),
    };
    let name = name.to_owned();
    Some(match (sends, payload) {
        (true, _) => payload::parse_bytes(payload).map(|(bytes, binary)| Step::Send { name, bytes, binary }),
        (false, "EOF") => Ok(Step::ExpectEnd { name }),
        (false, _) => Pattern::parse(payload).map(|pattern| Step::Expect { name, pattern }),
    })
}

fn opening(words: &[&str]) -> Result<Opening, String> {
    let (words, from) = match words {
        [words @ .., "from", address] => {
            let address = address.parse().map_err(|_| format!("{address:?} is no IP address"))?;
            (words, Some(address))
        }
        words => (words, None),
    };
    let (name, dialect, argument) = match words {
        [name, dialect] => (name, dialect, None),
        [name, dialect, argument] => (name, dialect, Some((*argument).to_owned())),
        _ => return Err("takes a name, a dialect and perhaps a room, then perhaps `from ADDRESS`".to_owned()),
    };
    Ok(Opening { name: named(name)?, dialect: (*dialect).to_owned(), argument, from })
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn named(name: &str) -> Result<String, String> {
    if name.is_empty() || !name.chars().all(is_of_name) {
        return Err(format!("{name:?} can't name a connection: letters, digits, `_`, `-` and `.` can"));
    }
    Ok(name.to_owned())
}

/// Reads a time as transcripts write it, such as `90s`.
///
/// # Errors
/// What is wrong with it.
pub fn duration(time: &str) -> Result<Duration, String> {
    let digits = time.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = time.split_at(digits);
    let ms_per_unit = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        _ => 0,
    };
    let ms = number.parse::<u64>().ok().and_then(|number| number.checked_mul(ms_per_unit));
    ms.filter(|_| ms_per_unit > 0)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("{time:?} is no time: write a number and `ms`, `s` or `m`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(line: &str) -> Step {
        let transcript = Transcript::parse("t", line).unwrap();
        transcript.steps[0].1.clone()
    }

    #[test]
    fn every_line_of_the_format() {
        let opening = |argument: Option<&str>, from: Option<&str>| Opening {
            name: "bob".to_owned(),
            dialect: "rooms".to_owned(),
            argument: argument.map(str::to_owned),
            from: from.map(|from| from.parse().unwrap()),
        };
        assert_eq!(only("open bob rooms"), Step::Open(opening(None, None)));
        assert_eq!(only("join bob rooms den"), Step::Join(opening(Some("den"), None)));
        assert_eq!(
            only("open bob rooms den from 198.51.100.7"),
            Step::Open(opening(Some("den"), Some("198.51.100.7")))
        );
        assert_eq!(only("conf a=b=c"), Step::Conf { key: "a".to_owned(), value: "b=c".to_owned() });
        let bytes =
            |bytes: &[u8]| Step::Send { name: "bob".to_owned(), bytes: bytes.to_vec(), binary: false };
        assert_eq!(only("bob>  hi\\n"), bytes(b" hi\n"));
        assert_eq!(only("bob>"), bytes(b""));
        assert_eq!(only("bob< EOF"), Step::ExpectEnd { name: "bob".to_owned() });
        assert_eq!(only("close bob"), Step::Close { name: "bob".to_owned() });
        let address = "127.0.0.1:1225".to_owned();
        assert_eq!(
            only("answer bob 127.0.0.1:1225"),
            Step::Answer { name: "bob".to_owned(), address: address.clone() }
        );
        assert_eq!(only("busy 127.0.0.1:1225"), Step::Busy { address });
        assert_eq!(only("~ 250ms"), Step::Advance(Duration::from_millis(250)));
        assert_eq!(only("~ 2m"), Step::Advance(Duration::from_secs(120)));
        assert_eq!(only("shutdown"), Step::Shutdown);
    }

    #[test]
    fn errors_name_file_and_line() {
        for line in
            ["bob>x", "bob> x ", "open bob", "~ 3h", "~ s", "hello there", "open b\u{f6}b rooms", "conf x"]
        {
            let failure = Transcript::parse("some.txt", &format!("# comment\n\n{line}\n")).unwrap_err();
            assert_eq!((failure.file.as_str(), failure.line), ("some.txt", 3), "{line}: {failure}");
        }
        assert!(Transcript::parse("t", "shutdown\nconf a=b").is_err());
    }

    #[test]
    fn settings_can_be_asked_for() {
        let transcript = Transcript::parse("t", "conf commands=false").unwrap();
        assert_eq!(transcript.conf("commands"), Some("false"));
        assert_eq!(transcript.conf("other"), None);
    }
}
