//! What was acknowledged is kept: the real binary, killed under load, and with a store that can't be written.
//!
//! Apart from the other tests, so that a long run needs nothing else:
//! `KILLS=200 cargo test -p polylogue --test kill -- --nocapture`.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod check;
mod clients;
#[allow(dead_code, reason = "the other tests use the rest of it")]
#[path = "../it/fixture.rs"]
mod fixture;
#[path = "../it/clients/folder.rs"]
mod folder;
mod history;
mod killing;
mod load;
mod place;
mod random;
mod stamp;
#[allow(dead_code, reason = "the other tests use the rest of it")]
#[path = "../it/stream.rs"]
mod stream;
mod unwritable;
