//! bridge: a rendezvous server for peers that then talk to each other (`docs/protocols/bridge.md`).
