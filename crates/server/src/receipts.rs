//! Those who only acknowledge what they are sent, on a connection of their own (messenger's TORECV).
//!
//! When a message has gone to many of them, their acknowledgements come one by one, each of them would end the reactor's
//! wait, and to be woken costs more than to read one. So they have a poll of their own, which the reactor's poll watches;
//! when several are due and nobody waits for them, it looks away for a moment. Meanwhile each of them is heard just before
//! the next message is handed to it; when the moment is over, all are.

use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use gateway::Due;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token};

/// For how long the reactor looks away.
const LOOKS_AWAY: Duration = Duration::from_millis(4);
/// How many acknowledgements have to become due in one turn: fewer aren't worth it.
const RECEIPTS_MIN: usize = 4;

/// The poll of those who only acknowledge.
#[derive(Debug)]
pub(crate) struct Receipts {
    poll: Poll,
    /// Its token in the reactor's poll.
    token: Token,
    /// Until when the reactor looks away.
    away_until: Option<Instant>,
    /// The reactor's poll says that there is something to hear.
    has_rung: bool,
}

/// What is due on a reactor's connections.
#[derive(Debug, Default)]
pub(crate) struct Dues {
    /// Acknowledgements that somebody waits for.
    urgent: usize,
    /// Others that have become due in this turn.
    fresh: usize,
    /// The reactor looks away from these.
    pub(crate) unheard: bool,
}

impl Dues {
    /// Something else is due on a connection.
    pub(crate) fn change(&mut self, before: Due, after: Due) {
        self.urgent -= usize::from(before == Due::UrgentReceipt);
        self.urgent += usize::from(after == Due::UrgentReceipt);
        self.fresh += usize::from(after == Due::Receipt);
    }
}

impl Receipts {
    /// A poll that another one watches.
    ///
    /// # Errors
    /// If the kernel has no more descriptors.
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let receipts = Self { poll: Poll::new()?, token, away_until: None, has_rung: false };
        receipts.watch(registry)?;
        Ok(receipts)
    }

    /// Where those who only acknowledge are registered.
    pub(crate) fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    fn watch(&self, registry: &Registry) -> io::Result<()> {
        registry.register(&mut SourceFd(&self.poll.as_raw_fd()), self.token, Interest::READABLE)
    }

    /// The reactor's poll says that there is something to hear.
    pub(crate) fn ring(&mut self) {
        self.has_rung = true;
    }

    /// Whether it is to be asked what there is: not if nothing can be there.
    pub(crate) fn may_have(&mut self) -> bool {
        std::mem::take(&mut self.has_rung)
    }

    /// What there is, as far as it fits.
    pub(crate) fn take(&mut self, events: &mut Events) -> io::Result<()> {
        loop {
            match self.poll.poll(events, Some(Duration::ZERO)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                taken => return taken,
            }
        }
    }

    /// Until when the reactor looks away.
    pub(crate) fn away_until(&self) -> Option<Instant> {
        self.away_until
    }

    /// Has the reactor look away or back, as what became due in its turn wants it.
    pub(crate) fn settle(&mut self, dues: &mut Dues, registry: &Registry) -> io::Result<()> {
        let many = std::mem::take(&mut dues.fresh) >= RECEIPTS_MIN;
        if !many && self.away_until.is_none() {
            return Ok(());
        }
        // A turn that has sent much has taken its time.
        let now = Instant::now();
        match self.away_until {
            Some(until) if dues.urgent > 0 || (until <= now && !many) => {
                self.away_until = None;
                self.watch(registry)?;
            }
            Some(until) if until <= now => {
                // It goes on, but whoever wasn't handed anything has to be heard too.
                self.ring();
                self.away_until = Some(now + LOOKS_AWAY);
            }
            None if many && dues.urgent == 0 => {
                self.away_until = Some(now + LOOKS_AWAY);
                registry.deregister(&mut SourceFd(&self.poll.as_raw_fd()))?;
            }
            Some(_) | None => {}
        }
        dues.unheard = self.away_until.is_some();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    const RECEIPTS: Token = Token(7);
    const PEER: Token = Token(8);
    const PATIENCE: Duration = Duration::from_secs(20);
    const MANY: Dues = Dues { urgent: 0, fresh: RECEIPTS_MIN, unheard: false };

    struct Bench {
        poll: Poll,
        receipts: Receipts,
        client: TcpStream,
        _server: mio::net::TcpStream,
    }

    fn bench() -> Bench {
        let poll = Poll::new().unwrap();
        let mut receipts = Receipts::new(poll.registry(), RECEIPTS).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        server.set_nonblocking(true).unwrap();
        let mut server = mio::net::TcpStream::from_std(server);
        receipts.registry().register(&mut server, PEER, Interest::READABLE).unwrap();
        receipts.ring();
        assert!(receipts.may_have());
        receipts.take(&mut Events::with_capacity(8)).unwrap();
        Bench { poll, receipts, client, _server: server }
    }

    impl Bench {
        /// Whether the reactor is woken by those who only acknowledge.
        fn is_woken(&mut self, patience: Duration) -> bool {
            let mut events = Events::with_capacity(8);
            self.poll.poll(&mut events, Some(patience)).unwrap();
            events.iter().any(|event| event.token() == RECEIPTS)
        }

        /// Whether something comes of asking.
        fn hears(&mut self) -> bool {
            let mut events = Events::with_capacity(8);
            self.receipts.take(&mut events).unwrap();
            events.iter().any(|event| event.token() == PEER)
        }

        /// Whether the reactor looks away.
        fn settle(&mut self, dues: Dues) -> bool {
            let mut dues = dues;
            self.receipts.settle(&mut dues, self.poll.registry()).unwrap();
            assert_eq!(dues.fresh, 0);
            assert_eq!(dues.unheard, self.receipts.away_until().is_some());
            dues.unheard
        }
    }

    #[test]
    fn who_acknowledges_wakes_nobody_who_looks_away() {
        let mut bench = bench();
        bench.client.write_all(b"1").unwrap();
        assert!(bench.is_woken(PATIENCE) && bench.hears());
        assert!(bench.settle(MANY));
        bench.client.write_all(b"2").unwrap();
        assert!(!bench.is_woken(LOOKS_AWAY));
        // Whoever looks back is told of what came meanwhile.
        std::thread::sleep(LOOKS_AWAY);
        assert!(!bench.settle(Dues::default()));
        assert!(bench.is_woken(PATIENCE) && bench.hears());
    }

    #[test]
    fn who_looks_away_for_long_asks_now_and_then() {
        let mut bench = bench();
        assert!(bench.settle(MANY) && !bench.receipts.may_have());
        bench.client.write_all(b"1").unwrap();
        assert!(bench.settle(MANY) && !bench.receipts.may_have());
        std::thread::sleep(LOOKS_AWAY);
        assert!(bench.settle(MANY) && bench.receipts.may_have());
        let asked = Instant::now();
        while !bench.hears() {
            assert!(asked.elapsed() < PATIENCE);
        }
        assert!(!bench.receipts.may_have());
    }

    #[test]
    fn nobody_looks_away_from_what_is_waited_for() {
        let mut bench = bench();
        let mut dues = Dues::default();
        (0..RECEIPTS_MIN).for_each(|_| dues.change(Due::Nothing, Due::Receipt));
        dues.change(Due::Nothing, Due::UrgentReceipt);
        assert!(!bench.settle(dues));
        assert!(!bench.settle(Dues { fresh: RECEIPTS_MIN - 1, ..Dues::default() }));
        assert!(bench.settle(MANY));
        assert!(!bench.settle(Dues { urgent: 1, ..Dues::default() }));
    }
}
