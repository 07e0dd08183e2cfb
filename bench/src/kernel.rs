//! The calls to the kernel that no safe crate has: TUN devices, and children that die with us.

use std::{
    fs::{File, OpenOptions},
    io,
    net::Ipv4Addr,
    os::{
        fd::AsRawFd,
        unix::{fs::OpenOptionsExt, process::CommandExt},
    },
    process::Command,
};

use nix::{
    libc::{self, c_char, c_short, ifreq},
    sys::{
        prctl,
        signal::Signal,
        socket::{AddressFamily, SockFlag, SockType, socket},
    },
};

/// Bits of the network part of a link's addresses.
const NETMASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);

nix::ioctl_readwrite_bad!(set_device, libc::TUNSETIFF, ifreq);
nix::ioctl_readwrite_bad!(set_address, libc::SIOCSIFADDR, ifreq);
nix::ioctl_readwrite_bad!(set_netmask, libc::SIOCSIFNETMASK, ifreq);
nix::ioctl_readwrite_bad!(set_flags, libc::SIOCSIFFLAGS, ifreq);

/// The child is killed when the thread that starts it ends, which it does with the whole process.
pub fn die_with_parent(command: &mut Command) {
    // SAFETY: between fork and exec only prctl is called, which is one system call.
    unsafe {
        command.pre_exec(|| prctl::set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from));
    }
}

/// Makes a point-to-point device in the network namespace of this thread, brings it up with this
/// address, and gives the file from which the packets that go out are read, one per read, and to
/// which those that come in are written. It does not block; the device ends with the file.
pub fn tun(name: &str, address: Ipv4Addr) -> io::Result<File> {
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")?;
    let control = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    let mut request = request(name);
    let (tun, inet) = (device.as_raw_fd(), control.as_raw_fd());
    // SAFETY: each call reads the name and that member of the union which was just set, and
    // writes at most a whole ifreq; both descriptors are open.
    unsafe {
        request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as c_short;
        set_device(tun, &mut request)?;
        request.ifr_ifru.ifru_addr = ipv4(address);
        set_address(inet, &mut request)?;
        request.ifr_ifru.ifru_addr = ipv4(NETMASK);
        set_netmask(inet, &mut request)?;
    }
    up(name)?;
    Ok(device)
}

/// Brings up a device of this thread's network namespace.
pub fn up(name: &str) -> io::Result<()> {
    let control = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    let mut request = request(name);
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as c_short;
    // SAFETY: the call reads the name and the flags, which are set; the descriptor is open.
    unsafe { set_flags(control.as_raw_fd(), &mut request)? };
    Ok(())
}

fn request(name: &str) -> ifreq {
    let mut ifr_name = [0; libc::IFNAMSIZ];
    // The last byte stays 0.
    for (to, from) in ifr_name[..libc::IFNAMSIZ - 1].iter_mut().zip(name.bytes()) {
        *to = from as c_char;
    }
    // The address is the widest member of the union: everything is initialised.
    let ifr_ifru = libc::__c_anonymous_ifr_ifru {
        ifru_addr: ipv4(Ipv4Addr::UNSPECIFIED),
    };
    ifreq { ifr_name, ifr_ifru }
}

/// The socket address as the kernel lays it out: family, port, four bytes of address.
fn ipv4(address: Ipv4Addr) -> libc::sockaddr {
    let mut sa_data = [0; 14];
    for (to, from) in sa_data[2..].iter_mut().zip(address.octets()) {
        *to = from as c_char;
    }
    libc::sockaddr {
        sa_family: libc::AF_INET as libc::sa_family_t,
        sa_data,
    }
}
