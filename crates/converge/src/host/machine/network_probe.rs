//! Health checks over the network: a TCP connection. HTTP is asked by whoever runs converge, which has no
//! client of its own.

use std::{
    io,
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use model::health::HttpAnswer;

/// Asks `GET url` once, follows no redirect, and reads at most so many bytes of the body. The error says
/// what was received instead of an answer.
pub type HttpGetFunction = fn(url: &str, body_bytes: u64) -> Result<HttpAnswer, String>;

/// How long a connection may take to open.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why no connection was made, in words.
fn connection_error_in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "it is refused, because nothing listens there".to_owned(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            format!("no answer within {} s", PATIENCE.as_secs())
        }
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or_default().to_lowercase()
        }
    }
}

/// Opens a connection to `host:port` and closes it.
pub(super) fn check_tcp_connection(address: &str) -> Result<(), String> {
    let addresses =
        address.to_socket_addrs().map_err(|error| format!("`{address}` cannot be resolved: {error}"))?;
    let mut last = format!("`{address}` has no address");
    for one in addresses {
        match TcpStream::connect_timeout(&one, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) => last = format!("no connection to {one}: {}", connection_error_in_words(&error)),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_connection_is_told_in_words() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = check_tcp_connection(&closed.to_string()).unwrap_err();
        assert_eq!(error, format!("no connection to {closed}: it is refused, because nothing listens there"));
    }
}
