//! Over HTTP.

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{self, Csms, PATIENCE};
use super::{client, connected, diagnostics, image, on_disk};

async fn status(request: reqwest::RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

/// OCPP 1.6 §5.19.
#[tokio::test]
async fn firmware_is_downloaded_and_a_broken_download_resumed() {
    let (csms, mut station, _data) = connected(&[]).await;
    let image = image();
    let file = csms.put_firmware("fw-1.2.bin", image.clone()).await;
    assert_eq!((&file["state"], &file["size"]), (&json!("complete"), &json!(image.len())));
    let body = json!({"fileId": file["id"], "retries": 3, "retryInterval": 60});
    let (ordered, asked) = csms.order(&mut station, "update-firmware", body, json!({})).await;
    assert_eq!(ordered["fileName"], "fw-1.2.bin");
    assert_eq!((&asked["retries"], &asked["retryInterval"]), (&json!(3), &json!(60)));
    assert!(asked["retrieveDate"].is_string());
    let location = asked["location"].as_str().unwrap();
    assert!(location.starts_with(&format!("{}/files/", csms.http)) && location.ends_with("/fw-1.2.bin"), "{location}");

    let whole = client().get(location).send().await.unwrap();
    assert_eq!((whole.status(), whole.content_length()), (StatusCode::OK, Some(image.len() as u64)));
    let etag = whole.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(whole.headers()["accept-ranges"], "bytes");
    assert!(whole.bytes().await.unwrap() == image);

    // A part came, then the connection broke.
    let mut broken = client().get(location).send().await.unwrap();
    let mut got = Vec::new();
    while got.len() < 100_000 {
        got.extend_from_slice(&broken.chunk().await.unwrap().unwrap());
    }
    drop(broken);
    let rest = client().get(location).header("Range", format!("bytes={}-", got.len())).header("If-Range", &etag);
    let rest = rest.send().await.unwrap();
    assert_eq!(rest.status(), StatusCode::PARTIAL_CONTENT);
    let range = format!("bytes {}-{}/{}", got.len(), image.len() - 1, image.len());
    assert_eq!(rest.headers()["content-range"], range.as_str());
    got.extend_from_slice(&rest.bytes().await.unwrap());
    assert!(got == image);

    // What it has is part of another file: it gets all of it.
    let other = client().get(location).header("Range", "bytes=100-").header("If-Range", "\"other\"");
    assert_eq!(other.send().await.unwrap().content_length(), Some(image.len() as u64));
    let beyond = client().get(location).header("Range", format!("bytes={}-", image.len()));
    assert_eq!(status(beyond).await, 416);
    assert_eq!(status(client().head(location)).await, 200);
    assert_eq!(status(client().put(location).body("x")).await, 405);
}

/// OCPP 1.6 §5.9: the location is a folder; charge points append their file's name, or do not.
#[tokio::test]
async fn diagnostics_are_uploaded_in_each_way_that_charge_points_know() {
    let (csms, mut station, _data) = connected(&[]).await;
    for (way, name) in [("put", "CP1.log"), ("slashes", "CP1.log"), ("post", ""), ("folder", ""), ("form", "form.log")]
    {
        let body = json!({"startTime": "2026-01-01T00:00:00Z"});
        let answer = if way == "folder" || way == "form" { json!({}) } else { diagnostics("CP1.log") };
        let is_named = answer["fileName"].is_string();
        let (ordered, asked) = csms.order(&mut station, "get-diagnostics", body, answer).await;
        assert_eq!(asked["startTime"], "2026-01-01T00:00:00Z");
        assert_eq!(
            (ordered["fileName"].is_string(), csms.file(&ordered).await["state"].clone()),
            (is_named, json!("expected"))
        );
        let location = asked["location"].as_str().unwrap();
        assert!(location.ends_with('/'), "{location}");
        let content = format!("diagnostics by {way}").into_bytes();
        let request = match way {
            "put" => client().put(format!("{location}{name}")).body(content.clone()),
            "slashes" => client().put(format!("{location}/{name}")).body(content.clone()),
            "post" => client().post(location).body(content.clone()),
            "folder" => client().put(location.trim_end_matches('/')).body(content.clone()),
            _ => {
                let part = reqwest::multipart::Part::bytes(content.clone()).file_name(name);
                client()
                    .post(location)
                    .multipart(reqwest::multipart::Form::new().text("note", "x").part("upload", part))
            }
        };
        assert_eq!(status(request).await, 201, "{way}");
        let file = csms.file(&ordered).await;
        assert_eq!((&file["state"], &file["size"]), (&json!("complete"), &json!(content.len())), "{way}: {file}");
        assert_eq!((&file["chargePoint"], &file["kind"]), (&json!("CP1"), &json!("diagnostics")));
        assert_eq!(file["name"], if is_named { "CP1.log" } else { name }, "{way}");
        let sha256 = ring::digest::digest(&ring::digest::SHA256, &content);
        assert_eq!(file["sha256"], data_encoding::HEXLOWER.encode(sha256.as_ref()));
        let got = csms.content(&ordered).await;
        assert!(got.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
        assert_eq!(got.headers()["x-content-type-options"], "nosniff");
        assert_eq!(got.headers()["content-type"], "application/octet-stream");
        assert!(got.bytes().await.unwrap() == content, "{way}");
    }
    let page = csms.get("/api/v1/files?kind=diagnostics&limit=2").await;
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let rest = csms.get(&format!("/api/v1/files?limit=9&cursor={}", page["nextCursor"].as_str().unwrap())).await;
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["nextCursor"]), (3, &Value::Null));
}

/// Security whitepaper N01.
#[tokio::test]
async fn a_log_is_uploaded_and_a_refused_one_forgotten() {
    let (csms, mut station, _data) = connected(&[]).await;
    let body = json!({"logType": "SecurityLog", "oldestTimestamp": "2026-01-01T00:00:00Z"});
    let answer = json!({"status": "Accepted", "filename": "security.log"});
    let (ordered, asked) = csms.order(&mut station, "get-log", body.clone(), answer).await;
    assert_eq!((&asked["logType"], &asked["requestId"]), (&json!("SecurityLog"), &ordered["requestId"]));
    assert_eq!(asked["log"]["oldestTimestamp"], "2026-01-01T00:00:00Z");
    let location = asked["log"]["remoteLocation"].as_str().unwrap();
    assert!(location.len() <= 512);
    assert_eq!(status(client().put(format!("{location}security.log")).body("log")).await, 201);
    let file = csms.file(&ordered).await;
    assert_eq!(
        (&file["kind"], &file["name"], &file["state"]),
        (&json!("log"), &json!("security.log"), &json!("complete"))
    );

    let (refused, asked) = csms.order(&mut station, "get-log", body, json!({"status": "Rejected"})).await;
    assert_eq!((&refused["status"], &refused["fileId"]), (&json!("Rejected"), &Value::Null));
    let location = asked["log"]["remoteLocation"].as_str().unwrap();
    assert_eq!(status(client().put(location).body("log")).await, 404);
    assert_eq!(csms.get("/api/v1/files").await["items"].as_array().unwrap().len(), 1);
}

async fn locations(csms: &Csms, station: &mut support::Station, firmware: &Value) -> (String, String) {
    let body = json!({"fileId": firmware["id"]});
    let (_, download) = csms.order(station, "update-firmware", body, json!({})).await;
    let (_, upload) = csms.order(station, "get-diagnostics", json!({}), diagnostics("a.log")).await;
    (download["location"].as_str().unwrap().to_owned(), upload["location"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_token_is_good_for_its_own_file_and_purpose_only() {
    let (csms, mut station, _data) = connected(&["--ftp-listen", "127.0.0.1:0"]).await;
    let mine = csms.put_firmware("mine.bin", b"mine".to_vec()).await;
    let other = csms.put_firmware("other.bin", b"other".to_vec()).await;
    let (download, upload) = locations(&csms, &mut station, &mine).await;
    let (others_download, _) = locations(&csms, &mut station, &other).await;

    let wrong = format!("{}/files/{}/mine.bin", csms.http, "A".repeat(43));
    let name_of_other = download.replace("mine.bin", "other.bin");
    let id_of_other = others_download.replace("other.bin", other["id"].as_str().unwrap());
    for location in
        [wrong, name_of_other, id_of_other, download.replace("mine.bin", ""), format!("{}/files/", csms.http)]
    {
        assert_eq!(status(client().get(&location)).await, 404, "{location}");
    }
    // What is for an upload reads nothing, and what is for a download writes nothing.
    assert_eq!(status(client().get(format!("{upload}a.log"))).await, 405);
    assert_eq!(status(client().post(&download).body("x")).await, 405);
    assert_eq!(status(client().delete(format!("{upload}a.log"))).await, 405);
    // The password of FTP is no token of HTTP.
    let body = json!({"transport": "ftp"});
    let (_, asked) = csms.order(&mut station, "get-diagnostics", body, diagnostics("a.log")).await;
    let password = asked["location"].as_str().unwrap().split([':', '@']).nth(2).unwrap().to_owned();
    assert_eq!(status(client().put(format!("{}/files/{password}/a.log", csms.http)).body("x")).await, 404);
    // A deleted file is gone for everybody.
    let path = format!("/api/v1/files/{}", mine["id"].as_str().unwrap());
    assert_eq!(csms.http("DELETE", &path, None).await.0, 204);
    assert_eq!(csms.http("DELETE", &path, None).await.0, 404);
    assert_eq!(status(client().get(&download)).await, 404);
    assert_eq!(client().get(&others_download).send().await.unwrap().text().await.unwrap(), "other");
}

#[tokio::test]
async fn a_request_ends_with_its_time() {
    let (csms, mut station, _data) = connected(&[]).await;
    let firmware = csms.put_firmware("fw.bin", b"firmware".to_vec()).await;
    let body = json!({"fileId": firmware["id"], "validSeconds": 2});
    let (_, asked) = csms.order(&mut station, "update-firmware", body, json!({})).await;
    let body = json!({"validSeconds": 0});
    let (ordered, upload) = csms.order(&mut station, "get-diagnostics", body, diagnostics("a.log")).await;
    assert_eq!(status(client().put(upload["location"].as_str().unwrap()).body("x")).await, 404);
    let file = csms.file(&ordered).await;
    assert_eq!((&file["state"], &file["reason"]), (&json!("failed"), &json!("expired")));
    let location = asked["location"].as_str().unwrap();
    let ends = async {
        let mut was_good = false;
        while status(client().get(location)).await == 200 {
            was_good = true;
        }
        was_good
    };
    assert!(tokio::time::timeout(PATIENCE, ends).await.expect("an end"), "it was good before");
    assert_eq!(status(client().get(location)).await, 404);
}

#[tokio::test]
async fn names_never_lead_out_of_the_folder() {
    let (csms, mut station, data) = connected(&[]).await;
    let before = on_disk(data.path()).len();
    let (ordered, asked) = csms.order(&mut station, "get-diagnostics", json!({}), json!({})).await;
    let location = asked["location"].as_str().unwrap();
    for name in ["..%2f..%2fetc%2fpasswd", "%2e%2e%2fcsms.db", "..%5c..%5cboot.ini", "a%2f..%2fb", "a%00b", "a%0ab"] {
        // Sent as it is: a client of our own would tidy the path up.
        let path = format!("{}{name}", location.strip_prefix(&csms.http).unwrap());
        let answer =
            raw(&csms, &format!("PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"))
                .await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{name}: {answer}");
    }
    let path = location.strip_prefix(&csms.http).unwrap();
    let answer = raw(
        &csms,
        &format!("PUT {path}../../../x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let file = csms.file(&ordered).await;
    assert_eq!((&file["state"], on_disk(data.path()).len()), (&json!("expected"), before));
    // An absolute path is only a name.
    assert_eq!(status(client().put(format!("{location}/etc/passwd")).body("x")).await, 201);
    assert_eq!(csms.file(&ordered).await["name"], "passwd");
    assert_eq!(on_disk(data.path()), [ordered["fileId"].as_str().unwrap()]);

    for name in ["..%2fx", ".hidden", "a%20b", "a%2fb", &"x".repeat(101)] {
        let url = format!("{}/api/v1/files/firmware/{name}", csms.http);
        assert_eq!(status(client().put(url).body("x")).await, 422, "{name}");
    }
}

async fn raw(csms: &Csms, request: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(csms.http.trim_start_matches("http://")).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_leaves_nothing() {
    let (csms, mut station, data) = connected(&["--upload-limit", "1", "--firmware-limit", "1"]).await;
    let (ordered, asked) = csms.order(&mut station, "get-diagnostics", json!({}), diagnostics("a.log")).await;
    let location = format!("{}a.log", asked["location"].as_str().unwrap());
    let most = vec![7; 1024 * 1024];
    let chunks = || futures_util::stream::iter(vec![Ok::<_, std::io::Error>(vec![7_u8; 1024 * 1024]), Ok(vec![7])]);
    let firmware = format!("{}/api/v1/files/firmware/fw.bin", csms.http);
    for url in [&location, &firmware] {
        let announced = client().put(url).body(vec![7; 1024 * 1024 + 1]);
        assert_eq!(refused(announced).await, 413, "{url}");
        // Without a length it is found out on the way.
        assert_eq!(refused(client().put(url).body(reqwest::Body::wrap_stream(chunks()))).await, 413, "{url}");
        let part = reqwest::multipart::Part::bytes(vec![7; 1024 * 1024 + 1]).file_name("a.log");
        if url == &location {
            assert_eq!(
                refused(client().post(url).multipart(reqwest::multipart::Form::new().part("f", part))).await,
                413
            );
        }
    }
    assert_eq!(csms.file(&ordered).await["state"], "expected");
    assert_eq!(on_disk(data.path()), Vec::<String>::new());
    assert_eq!(status(client().put(&location).body(most.clone())).await, 201);
    assert_eq!(status(client().put(&firmware).body(most)).await, 201);
}

/// A server that refuses early may close before all is sent; then the client sees its own failed write.
async fn refused(request: reqwest::RequestBuilder) -> u16 {
    match request.send().await {
        Ok(response) => response.status().as_u16(),
        Err(error) if error.is_request() => 413,
        Err(error) => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn an_interrupted_upload_leaves_nothing_and_the_next_one_takes_its_place() {
    let (csms, mut station, data) = connected(&[]).await;
    let (ordered, asked) = csms.order(&mut station, "get-diagnostics", json!({}), diagnostics("a.log")).await;
    let location = format!("{}a.log", asked["location"].as_str().unwrap());
    let path = location.strip_prefix(&csms.http).unwrap();
    let form = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.log\"\r\n\r\nhalf";
    for head in [
        format!("PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf"),
        format!("PUT {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\n{form}"
        ),
    ] {
        let mut stream = tokio::net::TcpStream::connect(csms.http.trim_start_matches("http://")).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        until(&csms, &ordered, "uploading").await;
        assert_eq!(csms.content(&ordered).await.status(), 404, "half a file is seen by nobody");
        drop(stream);
        until(&csms, &ordered, "expected").await;
        assert_eq!(on_disk(data.path()), Vec::<String>::new());
    }
    let part = client().put(&location).header("Content-Range", "bytes 0-3/8").body("half");
    assert_eq!(status(part).await, 400);

    assert_eq!(status(client().put(&location).body("whole")).await, 201);
    // It saw no answer and sends it again.
    assert_eq!(status(client().put(&location).body("whole, again")).await, 201);
    assert_eq!(csms.content(&ordered).await.text().await.unwrap(), "whole, again");
    assert_eq!(on_disk(data.path()).len(), 1);
}

/// Waits until the file is in that state.
pub(crate) async fn until(csms: &Csms, ordered: &Value, state: &str) {
    let reached = async { while csms.file(ordered).await["state"] != state {} };
    tokio::time::timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("never {state}"));
}

#[tokio::test]
async fn requests_survive_a_restart_of_the_server_and_half_files_do_not() {
    let (csms, mut station, data) = connected(&[]).await;
    let firmware = csms.put_firmware("fw.bin", b"firmware".to_vec()).await;
    let (download, upload) = locations(&csms, &mut station, &firmware).await;
    let list = csms.get("/api/v1/files?kind=diagnostics").await;
    let ordered = json!({"fileId": list["items"][0]["id"]});
    let path = upload.strip_prefix(&csms.http).unwrap().to_owned();
    let mut stream = tokio::net::TcpStream::connect(csms.http.trim_start_matches("http://")).await.unwrap();
    let head = format!("PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf");
    stream.write_all(head.as_bytes()).await.unwrap();
    until(&csms, &ordered, "uploading").await;
    let before = csms.http.clone();
    csms.kill().await;

    let csms = Csms::start_in(data.path(), &[]).await;
    assert_eq!(csms.file(&ordered).await["state"], "expected");
    assert_eq!(on_disk(data.path()), [firmware["id"].as_str().unwrap()]);
    let download = download.replace(&before, &csms.http);
    assert_eq!(client().get(download).send().await.unwrap().text().await.unwrap(), "firmware");
    assert_eq!(status(client().put(format!("{}{path}a.log", csms.http)).body("whole")).await, 201);
    assert_eq!(csms.content(&ordered).await.text().await.unwrap(), "whole");
}

#[tokio::test]
async fn an_order_that_cannot_be_carried_out_is_refused_and_leaves_nothing() {
    let (csms, mut station, _data) = connected(&[]).await;
    let path = "/api/v1/charge-points/CP1/get-diagnostics";
    let (code, problem) = csms.http("POST", "/api/v1/charge-points/CP2/get-diagnostics", Some(json!({}))).await;
    assert_eq!((code, &problem["kind"]), (404, &json!("notFound")));
    let (code, problem) = csms.http("POST", path, Some(json!({"transport": "ftp"}))).await;
    assert_eq!((code, &problem["kind"]), (409, &json!("conflict")), "FTP is off");
    let (code, _) = csms.http("POST", path, Some(json!({"retrys": 1}))).await;
    assert_eq!(code, 422);
    let update = "/api/v1/charge-points/CP1/update-firmware";
    assert_eq!(csms.http("POST", update, Some(json!({"fileId": "none"}))).await.0, 422);
    let firmware = csms.put_firmware("fw.bin", b"firmware".to_vec()).await;
    let (code, problem) = csms.http("POST", update, Some(json!({"fileId": firmware["id"], "signed": true}))).await;
    assert_eq!((code, &problem["kind"]), (409, &json!("conflict")), "there is no key");

    let refuse = async {
        let (id, payload) = station.expect("GetDiagnostics").await;
        station.refuse(&id, "NotSupported", "no diagnostics here").await;
        payload
    };
    let ((code, problem), asked) = tokio::join!(csms.http("POST", path, Some(json!({}))), refuse);
    assert_eq!((code, &problem["kind"], &problem["code"]), (502, &json!("callError"), &json!("NotSupported")));
    assert_eq!(status(client().put(asked["location"].as_str().unwrap()).body("x")).await, 404);
    let items = csms.get("/api/v1/files").await["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 1, "the firmware alone: {items}");

    // No answer in time: it may come all the same, and is welcome.
    let slow = format!("{path}?timeoutSeconds=1");
    let ((code, _), (_, asked)) =
        tokio::join!(csms.http("POST", &slow, Some(json!({}))), station.expect("GetDiagnostics"));
    assert_eq!(code, 504);
    assert_eq!(status(client().put(asked["location"].as_str().unwrap()).body("late")).await, 201);
}

#[tokio::test]
async fn firmware_of_one_name_does_not_change() {
    let (csms, _station, _data) = connected(&[]).await;
    let firmware = csms.put_firmware("fw.bin", b"one".to_vec()).await;
    let url = format!("{}/api/v1/files/firmware/fw.bin", csms.http);
    let same = client().put(&url).body("one").send().await.unwrap();
    assert_eq!(same.status(), 200);
    assert_eq!(same.json::<Value>().await.unwrap()["id"], firmware["id"]);
    assert_eq!(status(client().put(&url).body("two")).await, 409);
    assert_eq!(status(client().put(&url).body("")).await, 422);
}
