//! What others see of where somebody comes from.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::Hub;

/// What is shown of this machine.
static LOCALHOST: LazyLock<Arc<str>> = LazyLock::new(|| "localhost".into());

impl Hub {
    /// The host that is shown for an address: the same for the same address, the first parts the same for the same
    /// networks (/48 and /64, or /16 and /24), so that a mask can mean them, and the address not to be found from it.
    pub(crate) fn host_of(&self, address: IpAddr) -> Arc<str> {
        let address = address.to_canonical();
        if address.is_loopback() {
            return LOCALHOST.clone();
        }
        let (octets, cuts, kind): (Vec<u8>, [usize; 3], _) = match address {
            IpAddr::V4(address) => (address.octets().to_vec(), [4, 3, 2], "ip"),
            IpAddr::V6(address) => (address.octets().to_vec(), [16, 8, 6], "ip6"),
        };
        let parts: Vec<_> =
            cuts.iter().map(|cut| self.keyed(octets.get(..*cut).unwrap_or_default())).collect();
        format!("{}.{kind}", parts.join(".")).into()
    }

    /// 32 bits that nobody can tell without the key, as 8 hexadecimal digits.
    fn keyed(&self, bytes: &[u8]) -> String {
        // A key may have any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.config.host_key) else { return String::new() };
        mac.update(bytes);
        let digest = mac.finalize().into_bytes();
        digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Hub, HubConfig};

    #[test]
    fn neighbours_share_the_network_part_and_nobody_sees_the_address() {
        let host = |key: u8, address: &str| {
            let hub = Hub::new(HubConfig { host_key: [key; 32], ..HubConfig::default() }).unwrap();
            hub.host_of(address.parse().unwrap()).to_string()
        };
        let (one, other) = (host(1, "192.0.2.7"), host(1, "192.0.2.8"));
        assert_ne!(one, other);
        assert_eq!(one.split_once('.').unwrap().1, other.split_once('.').unwrap().1);
        assert_ne!(one, host(2, "192.0.2.7"));
        assert_eq!(one, host(1, "::ffff:192.0.2.7"));
        assert_eq!(host(1, "127.0.0.1"), "localhost");
        assert!(host(1, "2001:db8::1").ends_with(".ip6"));
    }
}
