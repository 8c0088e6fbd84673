//! Health checks over the network: a TCP connection, and a minimal HTTP/1.1 client.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

/// How long one question may take at each step.
const PATIENCE: Duration = Duration::from_secs(5);

/// How much of an answer is read, in bytes.
const MOST: u64 = 1024 * 1024;

/// Opens a connection to `host:port`.
pub(super) fn connect(address: &str) -> Result<TcpStream, String> {
    let addresses =
        address.to_socket_addrs().map_err(|error| format!("`{address}` cannot be resolved: {error}"))?;
    let mut last = format!("`{address}` has no address");
    for one in addresses {
        match TcpStream::connect_timeout(&one, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = format!("no connection to {one}: {error}"),
        }
    }
    Err(last)
}

/// `GET url` must answer with `status`, and with `contains` in its body.
pub(super) fn check_http(url: &str, status: u16, contains: Option<&str>) -> Result<(), String> {
    let rest = url.strip_prefix("http://").ok_or_else(|| format!("`{url}` is no http:// URL"))?;
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(at);
    let address = if port(host) { host.to_owned() } else { format!("{host}:80") };
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let mut stream = connect(&address)?;
    let wrong = |error: std::io::Error| format!("{url} does not answer: {error}");
    stream.set_read_timeout(Some(PATIENCE)).map_err(wrong)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(wrong)?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: punch\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).map_err(wrong)?;

    let mut answer = BufReader::new(stream.take(MOST));
    let first = line(&mut answer).map_err(wrong)?;
    let seen = first.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)?.parse::<u16>().ok());
    let Some(seen) = seen else { return Err(format!("{url} does not speak HTTP: `{}`", shorten(&first))) };
    if seen != status {
        return Err(format!("{url} answered {seen}, not {status}"));
    }
    let Some(contains) = contains else { return Ok(()) };
    let mut chunked = false;
    let mut length = None;
    loop {
        let header = line(&mut answer).map_err(wrong)?.to_ascii_lowercase();
        match header.split_once(':') {
            Some(("transfer-encoding", value)) => chunked = value.contains("chunked"),
            Some(("content-length", value)) => length = value.trim().parse::<u64>().ok(),
            _ if header.is_empty() => break,
            _ => (),
        }
    }
    let mut body = Vec::new();
    if chunked {
        read_chunks(&mut answer, &mut body).map_err(wrong)?;
    } else {
        answer.take(length.unwrap_or(MOST)).read_to_end(&mut body).map_err(wrong)?;
    }
    let body = String::from_utf8_lossy(&body);
    if body.contains(contains) {
        return Ok(());
    }
    Err(format!("{url} answered {seen}, but without `{}`: `{}`", shorten(contains), shorten(&body)))
}

fn port(host: &str) -> bool {
    let after = host.rsplit_once(']').map_or(host, |(_, after)| after);
    after.contains(':')
}

fn line(answer: &mut impl BufRead) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    answer.take(16 * 1024).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

fn read_chunks(answer: &mut impl BufRead, body: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        let size = line(answer)?;
        let size = u64::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::InvalidData))?;
        if size == 0 || body.len() as u64 >= MOST {
            return Ok(());
        }
        answer.take(size).read_to_end(body)?;
        line(answer)?;
    }
}

fn shorten(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(120).collect()
}
