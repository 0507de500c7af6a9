//! The text of a message.

use std::sync::Arc;

use crate::Refusal;

/// A message's text: UTF-8, not empty, within the hub's limit. Cheap to clone.
///
/// Control characters are kept, because some dialects give them meaning. A dialect that shows text on a
/// terminal removes them when it encodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    text: Arc<str>,
    /// Whether it has more than one line.
    has_lines: bool,
}

impl Text {
    /// Checks a text.
    ///
    /// # Errors
    /// [`Refusal::TextEmpty`], [`Refusal::TextTooLong`].
    pub fn new(text: &str, bytes_max: usize) -> Result<Self, Refusal> {
        if text.is_empty() {
            return Err(Refusal::TextEmpty);
        }
        if text.len() > bytes_max {
            return Err(Refusal::TextTooLong { bytes: text.len(), bytes_max });
        }
        Ok(Self::kept(text))
    }

    /// A text that was checked when it was said.
    #[must_use]
    pub fn kept(text: &str) -> Self {
        Self { has_lines: text.contains('\n'), text: text.into() }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it has more than one line.
    #[must_use]
    pub fn has_lines(&self) -> bool {
        self.has_lines
    }
}
