//! Plays readable wire transcripts against any host of sessions.
