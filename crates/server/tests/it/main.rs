//! The server on real sockets: every test starts one of its own on ports that the system chooses.

#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

mod bad_input;
mod detection;
mod ending;
mod fixture;
mod flood;
mod http;
mod limits;
mod receivers;
mod ringing;
mod slow_reader;
mod tls;
mod websocket;
