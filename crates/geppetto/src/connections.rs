//! How much of the server one client can hold: places for connections, and time for those that stand still.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv6Addr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// The peer of a connection over TCP.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TcpPeer {
    /// Where it connects from: a proxy in front of the control plane is the peer of all.
    pub(crate) address: IpAddr,
}

/// What clients may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionLimits {
    /// How many connections are open at once.
    pub(crate) connections: usize,
    /// How many of them may come from one address: enough for a proxy, but not all.
    pub(crate) per_address: usize,
    /// How many more there are for this machine itself, so that its operator always gets in.
    pub(crate) local: usize,
    /// How long a client may take nothing of an answer.
    pub(crate) stalled_for: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { connections: 1024, per_address: 512, local: 64, stalled_for: Duration::from_secs(30) }
    }
}

/// The places for connections.
#[derive(Debug)]
pub(crate) struct ConnectionSlots {
    limits: ConnectionLimits,
    taken: Mutex<BTreeMap<IpAddr, usize>>,
}

/// A place for one connection; free again when dropped.
#[derive(Debug)]
pub(crate) struct ConnectionSlot {
    places: Arc<ConnectionSlots>,
    address: IpAddr,
}

impl ConnectionSlots {
    pub(crate) fn new(limits: ConnectionLimits) -> Self {
        Self { limits, taken: Mutex::default() }
    }

    /// Acquires a slot for a connection from this address, if one is free.
    pub(crate) fn try_acquire_connection_slot(self: &Arc<Self>, address: IpAddr) -> Option<ConnectionSlot> {
        let address = client_network(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let ConnectionLimits { connections, per_address, local: reserved, .. } = self.limits;
        let all: usize = taken.values().sum();
        let from_loopback: usize =
            taken.iter().filter(|(address, _)| address.is_loopback()).map(|(_, count)| count).sum();
        let mine = taken.get(&address).copied().unwrap_or_default();
        let is_reserved = address.is_loopback() && from_loopback < reserved;
        // What is in the reserve is in nobody's share.
        let share = per_address + if address.is_loopback() { reserved } else { 0 };
        if !is_reserved && (all - from_loopback.min(reserved) >= connections || mine >= share) {
            return None;
        }
        taken.insert(address, mine + 1);
        Some(ConnectionSlot { places: Arc::clone(self), address })
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mine) = taken.get_mut(&self.address) {
            *mine -= 1;
            if *mine == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

/// Groups IPv6 clients by /64.
fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

/// A stream whose other end must take what is written to it, or is given up.
pub(crate) struct WriteTimeoutStream<S> {
    stream: S,
    stalled_for: Duration,
    /// Runs while nothing can be written.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> WriteTimeoutStream<S> {
    pub(crate) fn new(stream: S, stalled_for: Duration) -> Self {
        Self { stream, stalled_for, stalled: None }
    }

    /// Fails when a write has been blocked for longer than the timeout.
    fn check_deadline<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let wait = self.stalled_for;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(wait)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeoutStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeoutStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.check_deadline(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.check_deadline(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_connection_slots() {
        let limits =
            ConnectionLimits { connections: 3, per_address: 2, local: 1, ..ConnectionLimits::default() };
        let places = Arc::new(ConnectionSlots::new(limits));
        let take = |address: &str| places.try_acquire_connection_slot(address.parse().unwrap());
        let first = (take("10.0.0.1"), take("10.0.0.1"));
        assert!(first.0.is_some() && first.1.is_some() && take("10.0.0.1").is_none());
        assert!(take("::ffff:10.0.0.1").is_none(), "the same address in another form");
        let second = take("2001:db8::1");
        assert!(second.is_some() && take("10.0.0.2").is_none());
        let local = take("127.0.0.1");
        assert!(local.is_some() && take("127.0.0.1").is_none());
        drop((first, local));
        let again = take("2001:db8::2");
        assert!(again.is_some() && take("2001:db8::3").is_none(), "one network");
    }

    #[test]
    fn reserve_of_this_machine_is_free_whatever_others_hold_and_whatever_one_address_may_have() {
        let limits =
            ConnectionLimits { connections: 3, per_address: 1, local: 2, ..ConnectionLimits::default() };
        let places = Arc::new(ConnectionSlots::new(limits));
        let take = |address: &str| places.try_acquire_connection_slot(address.parse().unwrap());
        let others = [take("10.0.0.1"), take("10.0.0.2"), take("10.0.0.3")];
        assert!(others.iter().all(Option::is_some) && take("10.0.0.4").is_none());
        let local = [take("127.0.0.1"), take("127.0.0.1")];
        assert!(local.iter().all(Option::is_some), "more than one address may have");
        assert!(take("127.0.0.1").is_none() && take("127.0.0.2").is_none() && take("::1").is_none());
        drop(others);
        let third = take("127.0.0.1");
        assert!(third.is_some() && take("127.0.0.1").is_none(), "its share besides the reserve");
    }
}
