//! tmp://: 64-character headers in WebSocket text frames (`docs/protocols/tmp.md`).
