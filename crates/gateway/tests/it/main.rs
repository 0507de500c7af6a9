//! The dialects' sessions and the hub together, in memory: wire transcripts and properties.

#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

mod dialects;
mod messenger;
mod reach;
mod transcripts;
mod world;
