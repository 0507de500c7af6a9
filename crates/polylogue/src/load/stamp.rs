//! What a message of the load says: whose it is, which, and when it was sent. Then it is filled up.
//!
//! `~SSSNNNNNNNNTTTTTTTTTTTTTTTT`: sender, number, and nanoseconds since the start, each in hexadecimal digits.

/// The shortest body.
pub(crate) const BYTES_MIN: usize = 28;
/// How many senders can be told apart.
pub(crate) const SENDERS_MAX: usize = 0x1000;

/// One message's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Who sent it: the index among the senders.
    pub(crate) sender: u32,
    /// Which of that sender's, from 0.
    pub(crate) number: u32,
    /// When, in nanoseconds.
    pub(crate) sent: u64,
}

impl Stamp {
    /// Writes a body of `size` bytes.
    pub(crate) fn write(self, size: usize, body: &mut String) {
        body.clear();
        body.push('~');
        for (value, digits) in [(u64::from(self.sender), 3), (u64::from(self.number), 8), (self.sent, 16)] {
            for place in (0..digits).rev() {
                let digit = (value >> (4 * place)) & 0xf;
                body.push(char::from_digit(digit as u32, 16).unwrap_or('0'));
            }
        }
        body.extend(std::iter::repeat_n('x', size.saturating_sub(BYTES_MIN)));
    }

    /// Reads what a body says; `None` if it is none of ours, or not whole.
    pub(crate) fn read(body: &str, size: usize) -> Option<Self> {
        let digits = body.as_bytes().strip_prefix(b"~")?;
        if body.len() != size.max(BYTES_MIN) {
            return None;
        }
        let (sender, digits) = number(digits, 3)?;
        let (index, digits) = number(digits, 8)?;
        let (sent, _) = number(digits, 16)?;
        Some(Self { sender: sender as u32, number: index as u32, sent })
    }
}

fn number(text: &[u8], digits: usize) -> Option<(u64, &[u8])> {
    let (head, rest) = text.split_at_checked(digits)?;
    let value = head.iter().try_fold(0, |value: u64, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(value << 4 | u64::from(digit))
    })?;
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut body = String::new();
        for (sender, number, sent) in [(0, 0, 0), (0xfff, u32::MAX, u64::MAX), (1, 2, 3)] {
            let stamp = Stamp { sender, number, sent };
            stamp.write(64, &mut body);
            assert_eq!((body.len(), Stamp::read(&body, 64)), (64, Some(stamp)));
            assert_eq!(Stamp::read(&body[..63], 64), None);
        }
        assert_eq!(Stamp::read("~zzz", 4), None);
    }
}
