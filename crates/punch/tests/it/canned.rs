//! A back-office that says what it was told to say: for what a real one seldom says.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// Answers every request with the answers given, in turn; the last one for ever.
pub(crate) struct Canned {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Canned {
    pub(crate) fn new(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            let mut answers = answers.into_iter();
            let mut last = String::new();
            for stream in listener.incoming().flatten() {
                last = answers.next().unwrap_or(last);
                serve(stream, &last, &seen);
            }
        });
        Self { url, requests }
    }

    /// The requests so far, heads and bodies.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

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

fn serve(stream: TcpStream, answer: &str, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let refused = answer.starts_with("HTTP/1.1 4") && header("Expect").is_some();
    let mut stream = stream;
    let mut body = Vec::new();
    if !refused {
        if header("Expect").is_some() {
            let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        let length: u64 = header("Content-Length").map_or(0, |length| length.parse().unwrap());
        let _ = reader.take(length).read_to_end(&mut body);
    }
    seen.lock().unwrap().push(format!("{head}{}", String::from_utf8_lossy(&body)));
    let _ = stream.write_all(answer.as_bytes());
}
