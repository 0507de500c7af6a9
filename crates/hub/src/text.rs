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
    pub fn new(text: impl AsRef<str> + Into<Arc<str>>, bytes_max: usize) -> Result<Self, Refusal> {
        let len = text.as_ref().len();
        if len == 0 {
            return Err(Refusal::TextEmpty);
        }
        if len > bytes_max {
            return Err(Refusal::TextTooLong { bytes: len, bytes_max });
        }
        Ok(Self::of(text.into()))
    }

    /// A text that was checked when it was said.
    #[must_use]
    pub fn kept(text: &str) -> Self {
        Self::of(text.into())
    }

    fn of(text: Arc<str>) -> Self {
        Self { has_lines: text.contains('\n'), text }
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
