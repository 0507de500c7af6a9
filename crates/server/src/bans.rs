//! From where nobody may come: looked up for every newcomer, so that it has to be quick however many there are.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hub::ServerBan;
use ipnet::{IpNet, Ipv4Net};
use rustc_hash::FxHashMap;

/// How many bans there may be.
pub(crate) const BANS_MAX: usize = 100_000;

/// The bans of the server.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    /// Whether there are any: mostly there are none, and then nobody waits for a lock.
    any: AtomicBool,
    table: RwLock<Table>,
}

/// Bans by network. A network that an address is in has one of the lengths that there are, so it is looked up once
/// for each length and not once for each ban.
#[derive(Debug, Default)]
struct Table {
    by_net: FxHashMap<IpNet, ServerBan>,
    /// How many bans there are of each length, of IPv4 and of IPv6.
    lengths: [BTreeMap<u8, usize>; 2],
}

impl Bans {
    pub(crate) fn new(bans: Vec<ServerBan>) -> Self {
        let all = Self::default();
        for ban in bans {
            all.set(ban);
        }
        all
    }

    /// Why an address is banned now, if it is.
    pub(crate) fn find(&self, address: IpAddr, now_ms: u64) -> Option<Arc<str>> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        self.read().find(address.to_canonical(), now_ms).map(|ban| ban.reason.clone())
    }

    /// Enters a ban, in place of one for the same network; whether there was room.
    pub(crate) fn set(&self, ban: ServerBan) -> bool {
        let mut table = self.write();
        let has_room = table.by_net.len() < BANS_MAX || table.by_net.contains_key(&ban.net);
        if has_room {
            table.set(ban);
            self.any.store(true, Ordering::Relaxed);
        }
        has_room
    }

    /// Takes a ban away, if it is there.
    pub(crate) fn lift(&self, net: IpNet) -> Option<ServerBan> {
        let mut table = self.write();
        let ban = table.lift(net);
        self.any.store(!table.by_net.is_empty(), Ordering::Relaxed);
        ban
    }

    /// All that hold now, in order.
    pub(crate) fn list(&self, now_ms: u64) -> Vec<ServerBan> {
        let mut all: Vec<_> = self.read().by_net.values().filter(|ban| holds(ban, now_ms)).cloned().collect();
        all.sort_unstable_by_key(|ban| ban.net);
        all
    }

    /// Takes away those that have ended.
    pub(crate) fn take_ended(&self, now_ms: u64) -> Vec<IpNet> {
        let ended: Vec<_> =
            self.read().by_net.values().filter(|ban| !holds(ban, now_ms)).map(|ban| ban.net).collect();
        for net in &ended {
            self.lift(*net);
        }
        ended
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn find(&self, address: IpAddr, now_ms: u64) -> Option<&ServerBan> {
        let lengths = &self.lengths[family(address)];
        lengths.keys().find_map(|length| {
            let net = IpNet::new(address, *length).ok()?.trunc();
            self.by_net.get(&net).filter(|ban| holds(ban, now_ms))
        })
    }

    fn set(&mut self, ban: ServerBan) {
        let net = ban.net;
        if self.by_net.insert(net, ban).is_none() {
            *self.lengths[family(net.addr())].entry(net.prefix_len()).or_default() += 1;
        }
    }

    fn lift(&mut self, net: IpNet) -> Option<ServerBan> {
        let ban = self.by_net.remove(&net)?;
        let lengths = &mut self.lengths[family(net.addr())];
        if let Some(count) = lengths.get_mut(&net.prefix_len()) {
            *count -= 1;
            if *count == 0 {
                lengths.remove(&net.prefix_len());
            }
        }
        Some(ban)
    }
}

fn holds(ban: &ServerBan, now_ms: u64) -> bool {
    ban.until_ms.is_none_or(|until_ms| now_ms < until_ms)
}

fn family(address: IpAddr) -> usize {
    usize::from(address.is_ipv6())
}

/// An address or a network as somebody wrote it, brought to the form in which addresses are looked up.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?.trunc();
    // An IPv4 address inside IPv6 is looked up as what it is.
    if let IpNet::V6(inner) = net
        && let (Some(address), Some(length)) =
            (inner.addr().to_ipv4_mapped(), inner.prefix_len().checked_sub(96))
    {
        return Ipv4Net::new(address, length).ok().map(IpNet::V4);
    }
    Some(net)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban(net: &str, reason: &str, until_ms: Option<u64>) -> ServerBan {
        ServerBan { net: network(net).unwrap(), reason: reason.into(), made_ms: 0, until_ms }
    }

    fn found(bans: &Bans, address: &str) -> Option<String> {
        bans.find(address.parse().unwrap(), 1_000).map(|reason| reason.to_string())
    }

    #[test]
    fn addresses_are_found_in_networks_of_any_length() {
        let bans = Bans::new(vec![
            ban("192.0.2.0/24", "v4", None),
            ban("198.51.100.7", "one", None),
            ban("2001:db8::/32", "v6", None),
        ]);
        assert_eq!(found(&bans, "192.0.2.99").as_deref(), Some("v4"));
        assert_eq!(found(&bans, "::ffff:192.0.2.99").as_deref(), Some("v4"));
        assert_eq!(found(&bans, "198.51.100.7").as_deref(), Some("one"));
        assert_eq!(found(&bans, "2001:db8:1::1").as_deref(), Some("v6"));
        for free in ["192.0.3.1", "198.51.100.8", "2001:db9::1", "::1", "127.0.0.1"] {
            assert_eq!(found(&bans, free), None, "{free}");
        }
        assert!(bans.lift(network("192.0.2.0/24").unwrap()).is_some());
        assert_eq!(found(&bans, "192.0.2.99"), None);
        assert!(bans.lift(network("192.0.2.0/24").unwrap()).is_none());
    }

    #[test]
    fn a_ban_ends_by_itself_and_another_for_the_same_network_replaces_it() {
        let bans =
            Bans::new(vec![ban("192.0.2.1", "short", Some(1_000)), ban("192.0.2.2", "long", Some(1_001))]);
        assert_eq!(found(&bans, "192.0.2.1"), None);
        assert_eq!(found(&bans, "192.0.2.2").as_deref(), Some("long"));
        assert_eq!(bans.list(1_000).len(), 1);
        assert_eq!(bans.take_ended(1_000), [network("192.0.2.1").unwrap()]);
        bans.set(ban("192.0.2.2/32", "again", None));
        assert_eq!(found(&bans, "192.0.2.2").as_deref(), Some("again"));
        bans.lift(network("192.0.2.2").unwrap());
        assert!(!bans.any.load(Ordering::Relaxed));
    }

    #[test]
    fn networks_are_brought_to_one_form() {
        let shown = |text| network(text).map(|net| net.to_string());
        assert_eq!(shown("192.0.2.7/24").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(shown("192.0.2.7").as_deref(), Some("192.0.2.7/32"));
        assert_eq!(shown("::ffff:192.0.2.7").as_deref(), Some("192.0.2.7/32"));
        assert_eq!(shown("2001:db8::1/32").as_deref(), Some("2001:db8::/32"));
        for no in ["", "192.0.2", "192.0.2.0/33", "example.org", "*"] {
            assert_eq!(shown(no), None, "{no}");
        }
    }
}
