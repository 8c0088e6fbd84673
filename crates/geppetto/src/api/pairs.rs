//! Which `repomd.xml` a client was given, so that the signature it asks for next is the one that fits.
//!
//! A client that keeps its connection is told apart by it. One that comes with a new one (`dnf`) is known by
//! its address, and several of those behind one address only by the order they come in: then, if a
//! publication happens in just that moment, one may be given another's, and has to try again.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use axum::http::HeaderMap;
use model::name::Name;

use crate::serve::Connection;

/// How long the signature may be asked for after its `repomd.xml`.
const WITHIN_US: i64 = 30_000_000;
/// So many are remembered, the newest ones.
const REMEMBERED: usize = 4096;
/// So much of what a proxy says of its client tells clients apart.
const FORWARDED: usize = 100;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client {
    connection: u64,
    address: String,
}

impl Client {
    /// The client behind `connection`, or behind the proxy that is. What a proxy says is not proven, and
    /// need not be: who lies about it gets a signature that is public, and does not fit.
    pub(super) fn of(headers: &HeaderMap, connection: Connection) -> Self {
        let forwarded = headers.get("x-forwarded-for").and_then(|value| value.to_str().ok());
        let address = match forwarded {
            Some(forwarded) => forwarded.chars().take(FORWARDED).collect(),
            None => connection.peer.to_string(),
        };
        Self { connection: connection.number, address }
    }
}

#[derive(Debug)]
struct Given {
    client: Client,
    channel: Name,
    folder: PathBuf,
    at_us: i64,
    /// Whether its signature was asked for.
    complete: bool,
}

/// What was given to whom in the last seconds, oldest first.
#[derive(Debug, Default)]
pub(super) struct Pairs(Mutex<VecDeque<Given>>);

impl Pairs {
    /// Remembers that `client` is given the `repomd.xml` in `folder`; gives `folder` back.
    pub(super) fn remember(&self, client: Client, channel: Name, folder: PathBuf, at_us: i64) -> PathBuf {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while all.len() >= REMEMBERED || all.front().is_some_and(|given| is_over(given, at_us)) {
            all.pop_front();
        }
        all.push_back(Given { client, channel, folder: folder.clone(), at_us, complete: false });
        folder
    }

    /// The folder of the `repomd.xml` that `client` was given last.
    pub(super) fn recall(&self, client: &Client, channel: &Name, now_us: i64) -> Option<PathBuf> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut newest_first: Vec<&mut Given> = all
            .iter_mut()
            .rev()
            .filter(|given| given.channel == *channel && !is_over(given, now_us))
            .collect();
        let place = |fits: &dyn Fn(&Given) -> bool| newest_first.iter().position(|given| fits(given));
        let at = place(&|given| given.client.connection == client.connection)
            .or_else(|| place(&|given| given.client.address == client.address && !given.complete))
            // It asks once more, as dnf does when it has imported a key.
            .or_else(|| place(&|given| given.client.address == client.address))?;
        newest_first[at].complete = true;
        Some(newest_first[at].folder.clone())
    }
}

fn is_over(given: &Given, now_us: i64) -> bool {
    now_us.saturating_sub(given.at_us) > WITHIN_US
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(connection: u64, address: &str) -> Client {
        Client { connection, address: address.to_owned() }
    }

    fn given(pairs: &Pairs, client: &Client, folder: &str, at_us: i64) {
        pairs.remember(client.clone(), Name::new("dev").unwrap(), folder.into(), at_us);
    }

    fn recalled(pairs: &Pairs, client: &Client, at_us: i64) -> Option<String> {
        let folder = pairs.recall(client, &Name::new("dev").unwrap(), at_us)?;
        Some(folder.to_str().unwrap().to_owned())
    }

    #[test]
    fn each_connection_gets_the_signature_of_what_it_was_given() {
        let pairs = Pairs::default();
        let (one, other) = (client(1, "a"), client(2, "a"));
        given(&pairs, &one, "1", 0);
        given(&pairs, &other, "2", 1);
        assert_eq!(recalled(&pairs, &one, 2).as_deref(), Some("1"));
        assert_eq!(recalled(&pairs, &other, 3).as_deref(), Some("2"));
        assert_eq!(recalled(&pairs, &one, 4).as_deref(), Some("1"), "as often as it asks");
        assert_eq!(pairs.recall(&one, &Name::new("prod").unwrap(), 4), None);
    }

    #[test]
    fn a_new_connection_gets_what_its_address_was_given_and_did_not_complete() {
        let pairs = Pairs::default();
        given(&pairs, &client(1, "a"), "1", 0);
        given(&pairs, &client(2, "a"), "2", 1);
        given(&pairs, &client(3, "b"), "3", 2);
        assert_eq!(recalled(&pairs, &client(2, "a"), 3).as_deref(), Some("2"));
        assert_eq!(recalled(&pairs, &client(4, "a"), 4).as_deref(), Some("1"));
        assert_eq!(recalled(&pairs, &client(5, "a"), 5).as_deref(), Some("2"), "as often as it asks");
        assert_eq!(recalled(&pairs, &client(5, "c"), 5), None);
        assert_eq!(recalled(&pairs, &client(6, "b"), 3 + WITHIN_US), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let pairs = Pairs::default();
        for at in 0..10_000 {
            given(&pairs, &client(at, "a"), "1", 0);
        }
        assert_eq!(pairs.0.lock().unwrap().len(), REMEMBERED);
        given(&pairs, &client(1, "a"), "1", 1 + WITHIN_US);
        assert_eq!(pairs.0.lock().unwrap().len(), 1);
    }
}
