//! People of several protocols under load, and whether what was kept of it is what they saw.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod check;
mod clients;
#[allow(dead_code, reason = "the other tests use the rest of it")]
#[path = "../it/fixture.rs"]
mod fixture;
mod load;
mod stamp;
#[allow(dead_code, reason = "the other tests use the rest of it")]
#[path = "../it/stream.rs"]
mod stream;
