//! Health checks over the network: a TCP connection. HTTP is asked by whoever runs converge, which has no
//! client of its own.

use std::{
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use model::health::HttpAnswer;

/// Asks `GET url` once, follows no redirect, and reads at most so many bytes of the body. The error says
/// what was received instead of an answer.
pub type HttpGetFunction = fn(url: &str, body_bytes: u64) -> Result<HttpAnswer, String>;

/// How long a connection may take to open.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens a connection to `host:port` and closes it.
pub(super) fn check_tcp_connection(address: &str) -> Result<(), String> {
    let addresses =
        address.to_socket_addrs().map_err(|error| format!("`{address}` cannot be resolved: {error}"))?;
    let mut last = format!("`{address}` has no address");
    for one in addresses {
        match TcpStream::connect_timeout(&one, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) => last = format!("no connection to {one}: {error}"),
        }
    }
    Err(last)
}
