//! The wire formats of the chat protocols, without sockets, clocks or threads.
//!
//! A folder per dialect, cut alike: `mod.rs` has the frames, `server.rs` what a server reads and writes,
//! `client.rs` the mirror of it and a [`client::Client`]. Bytes go in, typed frames come out, and back.
//! Nothing here knows rooms, users or delivery: that is the `hub`'s, and the `gateway` joins the two.
//! `sasl` is no dialect but what several may carry: how a client proves who it is.
//! The specification that each other folder obeys is the page of its name in `docs/protocols/`.

pub mod bridge;
pub mod client;
mod error;
pub mod irc;
pub mod messenger;
pub mod muca;
pub mod rooms;
pub mod sasl;
pub mod tmp;

pub use error::ProtocolError;
