//! Over FTP.

use std::io::Cursor;

use serde_json::json;
use suppaftp::tokio::AsyncFtpStream;
use suppaftp::types::FileType;
use suppaftp::{FtpError, Mode, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::http::until;
use super::support::{self, Csms, PATIENCE};
use super::{connected, diagnostics, image, on_disk};

/// What stands in `ftp://user:password@host:port/name`.
struct Location {
    user: String,
    password: String,
    address: String,
    name: String,
}

impl Location {
    fn of(location: &serde_json::Value) -> Self {
        let location = location.as_str().unwrap();
        let rest = location.strip_prefix("ftp://").unwrap_or_else(|| panic!("{location}"));
        let (authority, name) = rest.split_once('/').unwrap();
        let (user_info, address) = authority.rsplit_once('@').unwrap();
        let (user, password) = user_info.split_once(':').unwrap();
        Self { user: user.into(), password: password.into(), address: address.into(), name: name.into() }
    }

    async fn connect(&self) -> AsyncFtpStream {
        tokio::time::timeout(PATIENCE, AsyncFtpStream::connect(&self.address)).await.unwrap().unwrap()
    }

    async fn log_in(&self) -> AsyncFtpStream {
        let mut ftp = self.connect().await;
        ftp.login(&self.user, &self.password).await.unwrap();
        ftp.transfer_type(FileType::Binary).await.unwrap();
        ftp
    }

    async fn is_refused(&self) -> bool {
        let refused = self.connect().await.login(&self.user, &self.password).await;
        matches!(refused, Err(FtpError::UnexpectedResponse(response)) if response.status == Status::NotLoggedIn)
    }
}

fn code(outcome: Result<impl Sized, FtpError>) -> Status {
    match outcome {
        Err(FtpError::UnexpectedResponse(response)) => response.status,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was not refused"),
    }
}

async fn with_ftp(flags: &[&str]) -> (Csms, support::Station, tempfile::TempDir) {
    connected(&[&["--ftp-listen", "127.0.0.1:0"], flags].concat()).await
}

async fn retrieve(ftp: &mut AsyncFtpStream, name: &str) -> Vec<u8> {
    let mut stream = ftp.retr_as_stream(name).await.unwrap();
    let mut got = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut got)).await.unwrap().unwrap();
    stream.finish().await.unwrap();
    got
}

/// OCPP 1.6 §5.19.
#[tokio::test]
async fn firmware_is_downloaded_and_a_broken_download_resumed() {
    let (csms, mut station, _data) = with_ftp(&["--ftp-passive-ports", "20000-60000"]).await;
    let image = image();
    let file = csms.put_firmware("fw-1.2.bin", image.clone()).await;
    csms.put_firmware("other.bin", b"other".to_vec()).await;
    let body = json!({"fileId": file["id"], "transport": "ftp"});
    let (_, asked) = csms.order(&mut station, "update-firmware", body, json!({})).await;
    let location = Location::of(&asked["location"]);
    assert_eq!(location.name, "fw-1.2.bin");
    for mode in [Mode::Passive, Mode::ExtendedPassive] {
        let mut ftp = location.log_in().await;
        ftp.set_mode(mode);
        assert_eq!(ftp.size(&location.name).await.unwrap(), image.len());
        assert!(retrieve(&mut ftp, &location.name).await == image);
        ftp.quit().await.unwrap();
    }
    // A part came, then the connection broke.
    let mut ftp = location.log_in().await;
    let mut stream = ftp.retr_as_stream(&location.name).await.unwrap();
    let mut got = vec![0; 100_000];
    stream.read_exact(&mut got).await.unwrap();
    drop((stream, ftp));
    let mut ftp = location.log_in().await;
    ftp.resume_transfer(got.len()).await.unwrap();
    got.extend(retrieve(&mut ftp, &location.name).await);
    assert!(got == image);

    // Nothing else is there, and nothing may be changed.
    let mut ftp = location.log_in().await;
    assert_eq!(ftp.nlst(None).await.unwrap(), ["fw-1.2.bin"]);
    for name in ["other.bin", "../csms.db", "/etc/passwd", "x/../fw-1.2.bin", file["id"].as_str().unwrap()] {
        assert_eq!(code(ftp.size(name).await), Status::FileUnavailable, "{name}");
        let refused = async {
            let stream = ftp.retr_as_stream(name).await?;
            stream.finish().await
        };
        assert_eq!(code(refused.await), Status::FileUnavailable, "{name}");
    }
    assert_eq!(code(ftp.cwd("/etc").await), Status::FileUnavailable);
    assert_eq!(code(ftp.rm(&location.name).await), Status::FileUnavailable);
    assert_eq!(code(ftp.mkdir("folder").await), Status::FileUnavailable);
    assert_eq!(code(ftp.put_file("new.bin", &mut Cursor::new(b"x".to_vec())).await), Status::FileUnavailable);
}

/// OCPP 1.6 §5.9.
#[tokio::test]
async fn diagnostics_are_uploaded() {
    let (csms, mut station, data) = with_ftp(&[]).await;
    let body = json!({"transport": "ftp"});
    let (ordered, asked) = csms.order(&mut station, "get-diagnostics", body, diagnostics("CP1.zip")).await;
    let location = Location::of(&asked["location"]);
    assert_eq!(location.name, "");
    let mut ftp = location.log_in().await;
    ftp.cwd("/").await.unwrap();
    assert_eq!(ftp.nlst(None).await.unwrap(), Vec::<String>::new());
    for name in ["../../etc/passwd", "a/../b", ".."] {
        let refused = ftp.put_file(name, &mut Cursor::new(b"x".to_vec())).await;
        assert_eq!(code(refused), Status::BadFilename, "{name}");
    }
    assert_eq!(csms.file(&ordered).await["state"], "expected");
    let content = image();
    assert_eq!(ftp.put_file("CP1.zip", &mut Cursor::new(content.clone())).await.unwrap(), content.len() as u64);
    let file = csms.file(&ordered).await;
    assert_eq!((&file["state"], &file["name"]), (&json!("complete"), &json!("CP1.zip")));
    let sha256 = ring::digest::digest(&ring::digest::SHA256, &content);
    assert_eq!(
        (&file["size"], &file["sha256"]),
        (&json!(content.len()), &json!(data_encoding::HEXLOWER.encode(sha256.as_ref())))
    );
    assert!(csms.content(&ordered).await.bytes().await.unwrap() == content);
    assert_eq!(ftp.size("CP1.zip").await.unwrap(), content.len(), "it looks whether it arrived");
    // What may be written may not be read.
    let refused = async {
        let stream = ftp.retr_as_stream("CP1.zip").await?;
        stream.finish().await
    };
    assert_eq!(code(refused.await), Status::FileUnavailable);
    // A second upload takes the first one's place; a part of one is not taken.
    ftp.put_file("CP1.zip", &mut Cursor::new(b"again".to_vec())).await.unwrap();
    assert_eq!(csms.content(&ordered).await.text().await.unwrap(), "again");
    assert_eq!(code(ftp.append_file("CP1.zip", &mut Cursor::new(b"more".to_vec())).await), Status::FileUnavailable);
    assert_eq!(csms.content(&ordered).await.text().await.unwrap(), "again");
    assert_eq!(on_disk(data.path()), [ordered["fileId"].as_str().unwrap()]);
}

#[tokio::test]
async fn credentials_are_good_for_their_own_file_and_time_only() {
    let (csms, mut station, _data) = with_ftp(&[]).await;
    let one = csms.put_firmware("one.bin", b"one".to_vec()).await;
    let two = csms.put_firmware("two.bin", b"two".to_vec()).await;
    let mut locations = Vec::new();
    for file in [&one, &two] {
        let body = json!({"fileId": file["id"], "transport": "ftp"});
        let (_, asked) = csms.order(&mut station, "update-firmware", body, json!({})).await;
        locations.push(Location::of(&asked["location"]));
    }
    let body = json!({"fileId": one["id"]});
    let (_, asked) = csms.order(&mut station, "update-firmware", body, json!({})).await;
    let token = asked["location"].as_str().unwrap().rsplit('/').nth(1).unwrap().to_owned();
    let (first, second) = (&locations[0], &locations[1]);
    for (user, password) in [
        ("anonymous", ""),
        ("anonymous", "a@b"),
        (&first.user, ""),
        (&first.user, "wrong"),
        (&first.user, &second.password),
        (&second.user, &first.password),
        (&first.user, &token),
    ] {
        let (user, password) = (user.to_owned(), password.to_owned());
        let wrong = Location { user, password, address: first.address.clone(), name: String::new() };
        assert!(wrong.is_refused().await, "{}", wrong.user);
    }
    let mut ftp = second.log_in().await;
    assert_eq!(retrieve(&mut ftp, "two.bin").await, b"two");
    assert_eq!(code(ftp.size("one.bin").await), Status::FileUnavailable);

    let body = json!({"transport": "ftp", "validSeconds": 0});
    let (_, asked) = csms.order(&mut station, "get-diagnostics", body, diagnostics("a.log")).await;
    assert!(Location::of(&asked["location"]).is_refused().await, "its time is over");
    // Who is logged in loses the right with the file, too.
    csms.http("DELETE", &format!("/api/v1/files/{}", two["id"].as_str().unwrap()), None).await;
    assert_eq!(code(ftp.size("two.bin").await), Status::FileUnavailable);
    assert!(second.is_refused().await);
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_leaves_nothing() {
    let (csms, mut station, data) = with_ftp(&["--upload-limit", "1"]).await;
    let body = json!({"transport": "ftp"});
    let (ordered, asked) = csms.order(&mut station, "get-diagnostics", body, diagnostics("a.log")).await;
    let mut ftp = Location::of(&asked["location"]).log_in().await;
    let mut stream = ftp.put_with_stream("a.log").await.unwrap();
    // The server closes its side as soon as it is too much.
    let sent = stream.write_all(&vec![7; 3 * 1024 * 1024]).await;
    let finished = stream.finish().await;
    assert!(sent.is_err() || finished.is_err(), "it was taken");
    until(&csms, &ordered, "expected").await;
    assert_eq!(on_disk(data.path()), Vec::<String>::new());
    let mut ftp = Location::of(&asked["location"]).log_in().await;
    ftp.put_file("a.log", &mut Cursor::new(vec![7; 1024 * 1024])).await.unwrap();
    assert_eq!(csms.file(&ordered).await["size"], 1024 * 1024);
}

/// A connection that breaks, as one does when a charge point is cut off: with a reset.
#[tokio::test]
async fn an_interrupted_upload_leaves_nothing_and_the_next_one_is_taken() {
    let (csms, mut station, data) = with_ftp(&[]).await;
    let body = json!({"transport": "ftp"});
    let (ordered, asked) = csms.order(&mut station, "get-diagnostics", body, diagnostics("a.log")).await;
    let location = Location::of(&asked["location"]);
    let mut control = tokio::net::TcpStream::connect(&location.address).await.unwrap();
    let hello = format!("USER {}\r\nPASS {}\r\nEPSV\r\n", location.user, location.password);
    // One command at a time, as the protocol wants it.
    let mut answers = vec![answer(&mut control).await];
    for command in hello.split_inclusive("\r\n") {
        control.write_all(command.as_bytes()).await.unwrap();
        answers.push(answer(&mut control).await);
    }
    let port =
        answers.last().unwrap().split('|').nth(3).unwrap_or_else(|| panic!("{answers:?}")).parse::<u16>().unwrap();
    let mut transfer = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    control.write_all(b"STOR a.log\r\n").await.unwrap();
    assert!(answer(&mut control).await.starts_with("150"));
    transfer.write_all(b"half").await.unwrap();
    until(&csms, &ordered, "uploading").await;
    assert_eq!(csms.content(&ordered).await.status(), 404);
    transfer.set_zero_linger().unwrap();
    drop(transfer);
    until(&csms, &ordered, "expected").await;
    assert_eq!(on_disk(data.path()), Vec::<String>::new());
    let mut ftp = location.log_in().await;
    ftp.put_file("a.log", &mut Cursor::new(b"whole".to_vec())).await.unwrap();
    assert_eq!(csms.content(&ordered).await.text().await.unwrap(), "whole");
}

/// A line of answer; the server's have one each.
async fn answer(control: &mut tokio::net::TcpStream) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(tokio::time::timeout(PATIENCE, control.read_u8()).await.unwrap().unwrap());
    }
    String::from_utf8(line).unwrap()
}

#[tokio::test]
async fn requests_survive_a_restart_of_the_server() {
    let (csms, mut station, data) = with_ftp(&[]).await;
    let body = json!({"transport": "ftp"});
    let (ordered, asked) = csms.order(&mut station, "get-diagnostics", body.clone(), diagnostics("a.log")).await;
    let mut location = Location::of(&asked["location"]);
    csms.kill().await;
    let mut csms = Csms::start_in(data.path(), &["--ftp-listen", "127.0.0.1:0"]).await;
    let at = loop {
        let line = csms.line().await.expect("where FTP is");
        if let Some(at) = line.strip_prefix("files over FTP are at ftp://") {
            break at.to_owned();
        }
    };
    location.address = at;
    let mut ftp = location.log_in().await;
    ftp.put_file("a.log", &mut Cursor::new(b"whole".to_vec())).await.unwrap();
    assert_eq!(csms.content(&ordered).await.text().await.unwrap(), "whole");
}
