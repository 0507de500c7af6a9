//! How a command fails: what was wrong and where, what to do about it, and the exit code.

use std::fmt;
use std::process::ExitCode;

/// Why a command failed. Printed as `error: …` with the hint on a line of its own.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What was wrong, and where.
    pub(crate) what: String,
    /// What to do.
    pub(crate) hint: Option<String>,
    /// Whose fault it is.
    pub(crate) blame: Blame,
}

/// What the exit code tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blame {
    /// What was asked for was understood, but it failed: exit code 1.
    Run,
    /// What was asked for can't be: flags, environment and configuration file. Exit code 2.
    Usage,
}

impl Failure {
    /// A failure of something that was understood. An empty hint is none.
    pub(crate) fn run(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: some(hint), blame: Blame::Run }
    }

    /// Something that can't be asked for. An empty hint is none.
    pub(crate) fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: some(hint), blame: Blame::Usage }
    }

    /// The exit code.
    pub(crate) fn code(&self) -> ExitCode {
        match self.blame {
            Blame::Run => ExitCode::from(1),
            Blame::Usage => ExitCode::from(2),
        }
    }
}

/// A hint that says something.
fn some(hint: impl Into<String>) -> Option<String> {
    Some(hint.into()).filter(|hint| !hint.is_empty())
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self { what: error.to_string(), hint: None, blame: Blame::Run }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_that_says_nothing_is_not_printed() {
        assert_eq!(Failure::usage("no", "").to_string(), "error: no");
        assert_eq!(Failure::run("no", "yes").to_string(), "error: no\nhint: yes");
    }
}
