//! What the kernel keeps for connections on this machine: both ends, if the server is here, too.

use std::fs;

/// Caches (slabinfo(5)) that have an object for each end: the socket, its inode, the open file. File names and what a
/// poll waits for are left out: they are small, others have many of them too, and the kernel is slow to take them back.
const CACHES: [&str; 4] = ["TCP", "TCPv6", "sock_inode_cache", "filp"];

/// So many bytes, with what is in the buffers of TCP; if we may know, which takes root.
pub(crate) fn memory() -> Option<u64> {
    let slabs = fs::read_to_string("/proc/slabinfo").ok()?;
    let sockets = fs::read_to_string("/proc/net/sockstat").ok()?;
    Some(objects(&slabs) + pages(&sockets)? * rustix::param::page_size() as u64)
}

fn objects(slabs: &str) -> u64 {
    let bytes = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [name, active, _, size, ..] = fields[..] else { return None };
        CACHES.contains(&name).then_some(active.parse::<u64>().ok()? * size.parse::<u64>().ok()?)
    };
    slabs.lines().filter_map(bytes).sum()
}

fn pages(sockets: &str) -> Option<u64> {
    let tcp = sockets.lines().find(|line| line.starts_with("TCP: "))?;
    tcp.split(' ').skip_while(|word| *word != "mem").nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_found() {
        let slabs = "slabinfo - version: 2.1\n# name <active_objs> <num_objs> <objsize>\n\
                     TCP 92 143 2368 13 8 : tunables\ndentry 753191 796467 192 21\nfilp 10 21 192 21 1\n";
        assert_eq!(objects(slabs), 92 * 2368 + 10 * 192);
        assert_eq!(
            pages("sockets: used 11\nTCP: inuse 1 orphan 0 tw 0 alloc 1 mem 285\nUDP: mem 3\n"),
            Some(285)
        );
    }
}
