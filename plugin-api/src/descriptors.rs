//! Descriptors that a component passes to its next build.

use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
    os::fd::{AsFd, OwnedFd},
};

use abi_stable::std_types::RStr;

use crate::{Context, SchedulerError};

impl Context {
    /// Has the host keep a duplicate of a file descriptor under a name, in the place of one that it
    /// keeps under that name already.
    ///
    /// The host keeps it for this component, whatever becomes of the build: the next build, or the
    /// one before after a roll-back, gets it with [`take_fd`](Self::take_fd). So a connection stays
    /// open while its component is replaced. As long as the host keeps it, closing the other
    /// duplicates does not end a connection: take what is no longer needed.
    ///
    /// # Errors
    /// If the descriptor can't be duplicated, or the component keeps too many already.
    pub fn keep_fd(&self, name: &str, fd: impl AsFd) -> Result<(), SchedulerError> {
        let fd = fd.as_fd().try_clone_to_owned().map_err(|error| wrong(name, error))?;
        Ok(self.host.keep_fd(RStr::from(name), fd.into()).into_result()?)
    }

    /// Takes a file descriptor that the host keeps under a name, if there is one. The host keeps it no
    /// longer.
    pub fn take_fd(&self, name: &str) -> Option<OwnedFd> {
        self.host.take_fd(RStr::from(name)).into_option()?.into_owned()
    }

    /// Listens for TCP connections on an address, and passes the listener on under a name to all
    /// later builds, so that no connection is refused while the component is replaced.
    ///
    /// The first build binds the address; later ones get the same listener, with the connections that
    /// wait to be accepted. If the address is another one than that of the listener before, it is
    /// bound, and the listener before is closed. Port 0 is any port: then the listener before stays.
    /// The listener does not block, as `tokio::net::TcpListener::from_std` needs it.
    ///
    /// # Errors
    /// If the address can't be bound. Then the host keeps the listener before.
    pub fn tcp_listener(
        &self,
        name: &str,
        address: SocketAddr,
    ) -> Result<TcpListener, SchedulerError> {
        let listener = self.socket(name, address, TcpListener::local_addr, TcpListener::bind)?;
        listener.set_nonblocking(true).map_err(|error| wrong(name, error))?;
        Ok(listener)
    }

    /// Binds a UDP socket, and passes it on to all later builds in the same way as
    /// [`tcp_listener`](Self::tcp_listener): what arrives while the component is replaced waits in the
    /// socket.
    ///
    /// # Errors
    /// If the address can't be bound.
    pub fn udp_socket(&self, name: &str, address: SocketAddr) -> Result<UdpSocket, SchedulerError> {
        let socket = self.socket(name, address, UdpSocket::local_addr, UdpSocket::bind)?;
        socket.set_nonblocking(true).map_err(|error| wrong(name, error))?;
        Ok(socket)
    }

    /// Returns the socket that is kept under a name if it has this address, or else binds one. The
    /// host keeps a duplicate of it.
    fn socket<S: AsFd + From<OwnedFd>>(
        &self,
        name: &str,
        address: SocketAddr,
        local_addr: fn(&S) -> io::Result<SocketAddr>,
        bind: fn(SocketAddr) -> io::Result<S>,
    ) -> Result<S, SchedulerError> {
        let kept = self.take_fd(name).map(S::from);
        let has_address = |kept: &S| local_addr(kept).is_ok_and(|it| is_for(address, it));
        let socket = match kept {
            Some(kept) if has_address(&kept) => kept,
            other => match bind(address) {
                Ok(bound) => bound,
                Err(error) => {
                    // The build before goes on with what was kept.
                    other.map_or(Ok(()), |other| self.keep_fd(name, other))?;
                    return Err(cannot_bind(address, error));
                }
            },
        };
        self.keep_fd(name, &socket)?;
        Ok(socket)
    }
}

/// Returns `true` if a socket that is bound to `has` serves whoever asks for `wanted`.
fn is_for(wanted: SocketAddr, has: SocketAddr) -> bool {
    wanted.ip() == has.ip() && (wanted.port() == 0 || wanted.port() == has.port())
}

fn cannot_bind(address: SocketAddr, error: io::Error) -> SchedulerError {
    SchedulerError::TaskInitialization(format!("{address} can't be bound: {error}"))
}

fn wrong(name: &str, error: io::Error) -> SchedulerError {
    SchedulerError::InvalidState(format!("the descriptor `{name}`: {error}"))
}

#[cfg(test)]
mod tests {
    use crate::{prelude::*, testing::TestHost};

    use super::*;

    struct Holder(Context);

    impl Component for Holder {
        type Config = NoConfig;
        fn create(_: NoConfig, context: Context) -> Result<Self, SchedulerError> {
            Ok(Self(context))
        }
    }

    fn context() -> Context {
        TestHost::new().create::<Holder>().unwrap().0
    }

    fn any_port() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[test]
    fn a_listener_is_bound_once_and_is_the_same_one_for_the_next_build() {
        let context = context();
        let first = context.tcp_listener("listener", any_port()).unwrap();
        let address = first.local_addr().unwrap();
        let second = context.tcp_listener("listener", address).unwrap();
        assert_eq!(second.local_addr().unwrap(), address);
        drop((first, second));
        // Only the host has it now, and connections wait.
        drop(std::net::TcpStream::connect(address).unwrap());
        assert!(context.take_fd("listener").is_some());
        assert!(context.take_fd("listener").is_none());
        assert!(std::net::TcpStream::connect(address).is_err());
    }

    #[test]
    fn a_listener_is_kept_if_another_address_can_not_be_bound() {
        let context = context();
        let address = context.tcp_listener("listener", any_port()).unwrap().local_addr().unwrap();
        let taken = TcpListener::bind(any_port()).unwrap();
        let refused = context.tcp_listener("listener", taken.local_addr().unwrap()).unwrap_err();
        assert!(refused.to_string().contains("can't be bound"), "{refused}");
        let kept = context.tcp_listener("listener", address).unwrap();
        assert_eq!(kept.local_addr().unwrap(), address);
    }

    #[test]
    fn a_datagram_waits_for_the_next_build() {
        let context = context();
        let first = context.udp_socket("socket", any_port()).unwrap();
        let address = first.local_addr().unwrap();
        drop(first);
        let sender = UdpSocket::bind(any_port()).unwrap();
        sender.send_to(b"one", address).unwrap();
        let second = context.udp_socket("socket", address).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(second.recv(&mut buffer).unwrap(), 3);
    }
}
