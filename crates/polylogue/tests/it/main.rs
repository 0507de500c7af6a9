//! The real binary and other people's clients, on real sockets. One test binary, a module for each subject.

mod all_see_all;
mod clients;
mod console;
mod ending;
mod fixture;
mod ports;
mod readme;
mod stream;
mod usage;
mod web;
