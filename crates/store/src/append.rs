//! What is kept, as bytes behind others.

use postcard::ser_flavors::Flavor;
use serde::Serialize;

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
        self.0.extend_from_slice(bytes);
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
