//! What can be wrong with a configuration: where it stands, what it is, what to do.

use std::fmt;

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where: `FILE:LINE`, `environment POLYLOGUE_…`, or a file's name alone.
    pub(crate) place: String,
    /// What is wrong, with the key and the value.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\nhint: {}", self.place, self.what, self.hint)
    }
}

/// The candidate that `wanted` was most likely meant to be; `None` if none is near.
pub(crate) fn nearest<'a>(wanted: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this, two words have little in common (Jaro-Winkler, 0 to 1).
    const ALIKE_MIN: f64 = 0.7;
    candidates
        .map(|candidate| (strsim::jaro_winkler(wanted, candidate), candidate))
        .filter(|(alike, _)| *alike >= ALIKE_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}
