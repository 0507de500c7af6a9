//! IRC: RFC 1459 and 2812 as clients speak them today, with the message tags of IRCv3.
//!
//! ```text
//! message = [ "@" tags SPACE ] [ ":" source SPACE ] command *( SPACE param ) [ SPACE ":" trailing ] CRLF
//! tags    = tag *( ";" tag )
//! tag     = [ "+" ] [ vendor "/" ] key [ "=" escaped-value ]
//! command = 1*letter / 3digit
//! ```
//!
//! A line ends with a line feed, with or without a carriage return before it. UTF-8 only.

pub mod client;
#[doc(hidden)]
pub mod fuzz;
mod line;
mod message;
mod numeric;
pub mod server;
pub mod tags;

pub use line::{Line, Params};
pub use message::Writer;
pub use numeric::Numeric;
pub use tags::Tags;

/// The longest message without its tags, in bytes, CR and LF included (RFC 1459, 2.3).
pub const LINE_BYTES_MAX: usize = 512;
/// The longest tag data that a client may send, in bytes, without `@` and the space (message-tags, "Size limit").
pub const CLIENT_TAG_BYTES_MAX: usize = 4094;
/// The longest tags altogether, in bytes, with `@` and the space.
pub const TAG_BYTES_MAX: usize = 8191;
/// The most parameters of a message (RFC 2812, 2.3.1).
pub const PARAMS_MAX: usize = 15;
