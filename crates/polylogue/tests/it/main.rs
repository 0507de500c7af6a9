//! The real binary and other people's clients, on real sockets. One test binary, a module for each subject.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod accounts;
mod accounts_page;
mod admin;
mod all_see_all;
mod clients;
mod console;
mod data;
mod ending;
mod files;
mod fixture;
mod http;
mod irc_clients;
mod irc_history;
mod load;
mod people;
mod ports;
mod readme;
mod stream;
mod tls;
mod usage;
mod web;
