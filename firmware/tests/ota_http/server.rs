//! A file server that does to its connections what networks and servers do.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// How one request is answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) file: Vec<u8>,
    pub(crate) etag: Option<&'static str>,
    /// Ranges are not known: always the whole file.
    pub(crate) no_ranges: bool,
    /// The connection is cut after so many bytes of the body.
    pub(crate) cut_after: Option<usize>,
    /// Nothing more comes after so many bytes of the body, and the connection stays.
    pub(crate) silent_after: Option<usize>,
    /// Without a length: the body ends with the connection.
    pub(crate) no_length: bool,
    /// Answered with this alone.
    pub(crate) status: Option<&'static str>,
    pub(crate) more_headers: String,
}

#[derive(Default)]
struct Shared {
    /// For the requests to come, the first one first; the last one stays.
    answers: Vec<Answer>,
    requests: Vec<String>,
    open: Vec<TcpStream>,
    closed: bool,
}

pub(crate) struct Server {
    pub(crate) url: String,
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn new(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/image", listener.local_addr().unwrap());
        let shared = Arc::new(Mutex::new(Shared { answers, ..Shared::default() }));
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || {
                for stream in listener.incoming() {
                    if shared.lock().unwrap().closed {
                        return;
                    }
                    // A client that has gone is none of the server's business.
                    let _ = serve(&stream.unwrap(), &shared);
                }
            }
        });
        Self { url, shared, thread: Some(thread) }
    }

    /// The heads of the requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.lock().unwrap().requests.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.lock().unwrap().closed = true;
        let address = self.url.trim_start_matches("http://").trim_end_matches("/image");
        drop(TcpStream::connect(address));
        self.thread.take().unwrap().join().unwrap();
    }
}

/// One request for each connection.
fn serve(stream: &TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    let mut head = String::new();
    let mut lines = BufReader::new(stream);
    while !head.ends_with("\r\n\r\n") {
        if lines.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let head = head.to_ascii_lowercase();
    let answer = {
        let mut shared = shared.lock().unwrap();
        shared.requests.push(head.clone());
        if shared.answers.len() > 1 { shared.answers.remove(0) } else { shared.answers[0].clone() }
    };
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let length = answer.file.len();
    let same = header("if-range:").is_none_or(|tag| Some(tag) == answer.etag);
    let from = header("range: bytes=").and_then(|range| range.strip_suffix('-')?.parse().ok());
    let from: Option<usize> = from.filter(|_| same && !answer.no_ranges);
    let mut response = match (answer.status, from) {
        (Some(status), _) => format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n"),
        (None, Some(from)) if from >= length => {
            "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n".to_owned()
        }
        (None, Some(from)) => {
            let (end, rest) = (length - 1, length - from);
            format!("HTTP/1.1 206 Partial\r\nContent-Range: bytes {from}-{end}/{length}\r\nContent-Length: {rest}\r\n")
        }
        (None, None) if answer.no_length => "HTTP/1.1 200 OK\r\n".to_owned(),
        (None, None) => format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n"),
    };
    if let Some(tag) = answer.etag {
        response += &format!("ETag: {tag}\r\n");
    }
    response += &format!("{}Connection: close\r\n\r\n", answer.more_headers);
    let mut out = stream;
    out.write_all(response.as_bytes())?;
    if answer.status.is_some() {
        return Ok(());
    }
    let body = answer.file.get(from.unwrap_or(0)..).unwrap_or_default();
    let sent = answer.cut_after.or(answer.silent_after).unwrap_or(body.len()).min(body.len());
    out.write_all(&body[..sent])?;
    if answer.silent_after.is_some() {
        shared.lock().unwrap().open.push(stream.try_clone()?);
        return Ok(());
    }
    stream.shutdown(Shutdown::Write)
}
