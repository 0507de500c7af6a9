//! muca: JSON objects over TCP, with no delimiter between them (`docs/protocols/muca.md`).
