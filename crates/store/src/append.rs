//! What is kept, as bytes behind others.

use postcard::ser_flavors::Flavor;
use serde::Serialize;

/// Bytes of a number at most.
const NUMBER_MAX: usize = 10;

/// Bytes that grow where they are. Postcard's own flavors take them and give them back, and the processor then waits for
/// what was written to arrive in memory.
struct Behind<'b>(&'b mut Vec<u8>);

impl Flavor for Behind<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if bytes.len() <= NUMBER_MAX {
            // A number, which was written byte by byte just now: to read it in another width would be the same wait.
            self.0.reserve(NUMBER_MAX);
            bytes.iter().for_each(|byte| self.0.push(*byte));
        } else {
            self.0.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Writes something behind what is there.
///
/// # Errors
/// None for what has a length.
pub(crate) fn append(bytes: &mut Vec<u8>, what: &impl Serialize) -> postcard::Result<()> {
    postcard::serialize_with_flavor(what, Behind(bytes))
}
