//! Descriptors that a component passes to its next build.

use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
    os::fd::{AsFd, OwnedFd},
};

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
        self.pass_fd(name, fd)
    }

    /// Takes a file descriptor that the host keeps under a name, if there is one. The host keeps it no
    /// longer.
    pub fn take_fd(&self, name: &str) -> Option<OwnedFd> {
        self.taken_fd(name)
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
    /// If the address can't be bound.
    pub fn tcp_listener(
        &self,
        name: &str,
        address: SocketAddr,
    ) -> Result<TcpListener, SchedulerError> {
        let kept = self.taken_fd(name).map(TcpListener::from);
        let fits = |kept: &TcpListener| kept.local_addr().is_ok_and(|it| is_for(address, it));
        let listener = match kept.filter(fits) {
            Some(listener) => listener,
            None => TcpListener::bind(address).map_err(|error| cannot_bind(address, error))?,
        };
        listener.set_nonblocking(true).map_err(|error| wrong(name, error))?;
        self.keep_fd(name, &listener)?;
        Ok(listener)
    }

    /// Binds a UDP socket, and passes it on to all later builds in the same way as
    /// [`tcp_listener`](Self::tcp_listener): what arrives while the component is replaced waits in the
    /// socket.
    ///
    /// # Errors
    /// If the address can't be bound.
    pub fn udp_socket(&self, name: &str, address: SocketAddr) -> Result<UdpSocket, SchedulerError> {
        let kept = self.taken_fd(name).map(UdpSocket::from);
        let fits = |kept: &UdpSocket| kept.local_addr().is_ok_and(|it| is_for(address, it));
        let socket = match kept.filter(fits) {
            Some(socket) => socket,
            None => UdpSocket::bind(address).map_err(|error| cannot_bind(address, error))?,
        };
        socket.set_nonblocking(true).map_err(|error| wrong(name, error))?;
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
