//! What is wrong with a transcript, or with what answered it.

/// A transcript that can't be read, or that the host didn't follow: where, and what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct Failure {
    /// The transcript's file, as it was named.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What was expected and what came, or which rule of the format the line breaks.
    pub what: String,
}
