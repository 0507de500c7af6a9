//! messenger: SEND, FORWARD and RECEIVED over two sockets (`docs/protocols/messenger.md`).
