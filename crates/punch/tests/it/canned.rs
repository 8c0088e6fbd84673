//! A back-office with canned responses, for what a real one seldom answers.

use std::{
    cell::OnceCell,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    os::unix::net::UnixListener,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// Answers every request with the answers given, in turn; the last one for ever.
pub(crate) struct Canned {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
    waits: Arc<AtomicBool>,
}

impl Canned {
    /// An answer that never comes; the connection stays open.
    pub(crate) const NO_ANSWER: &str = "";

    pub(crate) fn new(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connect = move || listener.accept().unwrap().0;
        Self::answer(url, answers, connect, |stream| stream.try_clone().unwrap())
    }

    /// The same at an address where nothing listens before `delay` is over.
    pub(crate) fn listening_after(delay: Duration, answers: Vec<String>) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let listener: OnceCell<TcpListener> = OnceCell::new();
        let listen = move || {
            thread::sleep(delay);
            TcpListener::bind(address).unwrap()
        };
        let connect = move || listener.get_or_init(&listen).accept().unwrap().0;
        Self::answer(format!("http://{address}"), answers, connect, |stream| stream.try_clone().unwrap())
    }

    /// The same on a Unix socket.
    pub(crate) fn on_socket(path: &Path, answers: Vec<String>) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let connect = move || listener.accept().unwrap().0;
        let url = format!("unix:{}", path.display());
        Self::answer(url, answers, connect, |stream| stream.try_clone().unwrap())
    }

    fn answer<S: Read + Write>(
        url: String,
        answers: Vec<String>,
        accept: impl Fn() -> S + Send + 'static,
        clone: impl Fn(&S) -> S + Send + 'static,
    ) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (received, waits) = (Arc::clone(&requests), Arc::new(AtomicBool::new(false)));
        let waiting = Arc::clone(&waits);
        thread::spawn(move || {
            let mut answers = answers.into_iter().peekable();
            let mut last = String::new();
            let mut unanswered = Vec::new();
            loop {
                let stream = accept();
                let reader = BufReader::new(clone(&stream));
                let next = answers.peek().unwrap_or(&last).clone();
                if next == Self::NO_ANSWER {
                    unanswered.push(clone(&stream));
                }
                if serve(reader, stream, &next, &received) {
                    waiting.fetch_or(next == Self::NO_ANSWER, Ordering::SeqCst);
                    last = answers.next().unwrap_or(next);
                }
            }
        });
        Self { url, requests, waits }
    }

    /// Whether a request came whose answer is [`Canned::NO_ANSWER`].
    pub(crate) fn waits_for_an_answer(&self) -> bool {
        self.waits.load(Ordering::SeqCst)
    }

    /// The requests so far, heads and bodies.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// The answer to `whoami`.
pub(crate) const PRINCIPAL: &str = r#"{"kind":"token","name":"token admin","grants":["admin"]}"#;

/// An answer with a JSON body.
pub(crate) fn json(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// A refusal as the API writes it.
pub(crate) fn problem(status: u16, detail: &str) -> String {
    let body =
        serde_json::json!({"type": "x", "title": "no", "status": status, "detail": detail}).to_string();
    json(&format!("{status} No"), &body)
}

/// Answers one request; a connection without one (a probe) is not answered and returns false.
fn serve<S: Read + Write>(
    mut reader: BufReader<S>,
    mut stream: S,
    answer: &str,
    received: &Mutex<Vec<String>>,
) -> bool {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return false;
        }
    }
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let refused = answer.starts_with("HTTP/1.1 4") && header("Expect").is_some();
    let mut body = Vec::new();
    if !refused {
        if header("Expect").is_some() {
            let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        let length: u64 = header("Content-Length").map_or(0, |length| length.parse().unwrap());
        let _ = reader.take(length).read_to_end(&mut body);
    }
    received.lock().unwrap().push(format!("{head}{}", String::from_utf8_lossy(&body)));
    let _ = stream.write_all(answer.as_bytes());
    true
}
