//! Where a peer is, as limits count it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::proxies::ip;

/// One household, as far as an address tells: who has one address of an IPv6 /64 has all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    /// This machine: its own programs, and a proxy that stands for everybody behind it. What it may
    /// take is not limited by address.
    Machine,
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// The first 64 bits of an IPv6 address.
    V6(u64),
}

impl Address {
    /// The one that counts for this IP address.
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(Ipv4Addr::LOCALHOST) | IpAddr::V6(Ipv6Addr::LOCALHOST) => Self::Machine,
            IpAddr::V4(v4) => Self::V4(v4),
            IpAddr::V6(v6) => Self::V6((v6.to_bits() >> 64) as u64),
        }
    }

    /// The one of a peer as it is shown, `192.0.2.7:5000`, or `192.0.2.7` behind a proxy. What
    /// comes by a Unix socket is from this machine.
    pub fn of_peer(peer: &str) -> Self {
        ip(peer).map_or(Self::Machine, Self::of)
    }

    /// Whether it is limited in what it may take.
    pub fn is_limited(self) -> bool {
        self != Self::Machine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_household_are_one() {
        let of = Address::of_peer;
        assert_eq!(of("[2001:db8::1]:5"), of("[2001:db8::ffff:1]:6"));
        assert_ne!(of("[2001:db8::1]:5"), of("[2001:db8:0:1::1]:5"));
        assert_eq!(of("192.0.2.7:1"), of("[::ffff:192.0.2.7]:2"));
        assert_ne!(of("192.0.2.7:1"), of("192.0.2.8:1"));
        assert_eq!(of("192.0.2.7:1"), of("192.0.2.7"), "behind a proxy");
    }

    #[test]
    fn this_machine_is_one_that_is_not_limited() {
        for peer in ["127.0.0.1:5", "[::1]:5", "[::ffff:127.0.0.1]:5", "unix"] {
            assert!(!Address::of_peer(peer).is_limited(), "{peer}");
        }
        assert!(Address::of_peer("127.0.0.2:5").is_limited());
    }
}
