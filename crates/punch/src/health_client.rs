//! The HTTP client of health checks: asks a component's URL once, with short patience and without help of a
//! proxy.

use std::{
    io::{ErrorKind, Read},
    time::Duration,
};

use model::health::HttpAnswer;
use ureq::{Agent, config::AutoHeaderValue};

use crate::command_error::io_error_reason_text;

/// How much of an answer that is no success is read, to be shown.
const SHOWN_BODY_BYTES: u64 = 200;

/// How long each step of a question may take: a connection, a read, a write.
const PATIENCE: Duration = Duration::from_secs(5);

/// `GET url`; the body's first `body_bytes` bytes. No redirect is followed: it is the answer.
pub(crate) fn http_get_for_health_check(url: &str, body_bytes: u64) -> Result<HttpAnswer, String> {
    let failed = |error: ureq::Error| match error {
        ureq::Error::Io(error) => format!("{url} does not answer: {}", reason_in_words(&error)),
        ureq::Error::Timeout(_) => {
            format!("{url} does not answer: it sent nothing within {} s", PATIENCE.as_secs())
        }
        error => format!("{url} does not answer: {error}"),
    };
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent("punch")
        .accept_encoding(AutoHeaderValue::None)
        .timeout_resolve(Some(PATIENCE))
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE))
        .timeout_per_write(Some(PATIENCE))
        .build()
        .new_agent();
    let response = agent.get(url).header("Connection", "close").call().map_err(failed)?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    // Of an answer that is no success the beginning is shown.
    let shown = if (200..300).contains(&status) { 0 } else { SHOWN_BODY_BYTES };
    if body_bytes.max(shown) > 0 {
        let mut reader = response.into_body().into_reader().take(body_bytes.max(shown));
        let read = reader.read_to_end(&mut body);
        // The status says enough where no text is looked for.
        if body_bytes > 0 {
            read.map_err(|error| format!("{url} does not answer: {}", reason_in_words(&error)))?;
        }
    }
    Ok(HttpAnswer { status, body })
}

fn reason_in_words(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused: nothing listens there".to_owned(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            format!("it sent nothing within {} s", PATIENCE.as_secs())
        }
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => {
            "it closed the connection without an answer".to_owned()
        }
        _ => io_error_reason_text(error),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        net::{TcpListener, TcpStream},
        sync::mpsc,
        thread,
    };

    use model::health::request_and_check_http_answer;

    use super::*;

    /// A server that answers once; its URL, and the request it got.
    fn serve(answer: &'static [u8]) -> (String, mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/health", listener.local_addr().unwrap());
        let (sender, requests) = mpsc::channel();
        thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            // Not every test wants to see the request.
            let _ = sender.send(head(&stream));
            let _ = stream.write_all(answer);
        });
        (url, requests)
    }

    fn head(stream: &TcpStream) -> String {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
        head.to_lowercase()
    }

    fn check(answer: &'static [u8], contains: Option<&str>) -> Result<(), String> {
        request_and_check_http_answer(&serve(answer).0, 200, contains, http_get_for_health_check)
    }

    #[test]
    fn status_and_text_of_the_body_are_compared() {
        let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready";
        assert_eq!(check(plain, None), Ok(()));
        assert_eq!(check(plain, Some("read")), Ok(()));
        assert!(check(plain, Some("steady")).unwrap_err().ends_with("but without `steady`: `ready`"));
        let refused = check(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", None).unwrap_err();
        assert!(refused.ends_with("answered 503, not 200"), "{refused}");
        let says_why = b"HTTP/1.1 503 No\r\nContent-Length: 11\r\n\r\ndatabase\nno";
        let refused = check(says_why, None).unwrap_err();
        assert!(refused.ends_with("answered 503, not 200: `database no`"), "{refused}");
    }

    #[test]
    fn chunked_unsized_and_old_answers_are_understood() {
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nrea\r\n2\r\ndy\r\n0\r\n\r\n";
        assert_eq!(check(chunked, Some("ready")), Ok(()));
        assert_eq!(check(b"HTTP/1.0 200 OK\r\n\r\nready", Some("ready")), Ok(()));
    }

    #[test]
    fn redirect_is_the_answer_and_is_not_followed() {
        let moved = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
        assert!(check(moved, None).unwrap_err().ends_with("answered 302, not 200"));
    }

    #[test]
    fn unreachable_or_non_http_server_is_an_error_naming_the_url() {
        let error = check(b"220 mail ready\r\n", None).unwrap_err();
        assert!(error.starts_with("http://127.0.0.1:") && error.contains("does not answer"), "{error}");
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = http_get_for_health_check(&format!("http://{closed}/"), 0).unwrap_err();
        assert!(error.contains("connection refused"), "{error}");
    }

    #[test]
    fn server_that_hangs_up_is_told_in_words() {
        let error = check(b"", None).unwrap_err();
        assert!(error.contains("does not answer: ") && !error.contains("os error"), "{error}");
    }

    #[test]
    fn body_is_read_up_to_the_limit() {
        let url = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready").0;
        assert_eq!(http_get_for_health_check(&url, 3).unwrap().body, b"rea");
    }

    #[test]
    fn request_asks_for_plain_bytes_as_punch() {
        let (url, requests) = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        http_get_for_health_check(&url, 0).unwrap();
        let head = requests.recv().unwrap();
        assert!(head.starts_with("get /health http/1.1\r\n"), "{head}");
        assert!(head.contains("user-agent: punch\r\n") && head.contains("connection: close\r\n"), "{head}");
        assert!(!head.contains("gzip"), "{head}");
    }
}
