//! What is said outside calls: logins, registration, shadow, clock, parts of files.

use onwire::alink::system::{FileDownloadResponse, FileUploadSendRequest};
use onwire::alink::{
    Claim, FileBlockFrame, NtpResponse, RegisterForm, Registered, RegisteredUnlisted, Secret, ShadowMessage,
    UploadBlockFrame, ntp_response, parse_register_answer, shadow_delete,
};
use onwire::types::DateTime;

/// Lines, each for another reader.
pub fn alink_documents(data: &[u8]) {
    let mut lines = data.splitn(4, |byte| *byte == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let (first, second, third, fourth) = (next(), next(), next(), next());
    if let (Some(client_id), Some(username)) = (crate::text(first), crate::text(second))
        && let Ok(claim) = Claim::parse(client_id, username, third)
    {
        assert!(claim.verify(&Secret::from("secret")).is_err());
        assert!(
            !claim.device().product_key.contains(['/', '+', '#'])
                && !claim.device().device_name.contains(['/', '+', '#'])
        );
    }
    if let Ok(form) = RegisterForm::parse(fourth) {
        assert!(form.verify(&Secret::from("secret")).is_err());
    }
    let Some(text) = crate::text(data) else { return };
    let _ = (Registered::parse(text), RegisteredUnlisted::parse(text), parse_register_answer(text));
    let now = DateTime::from_unix_millis(0);
    let _ = (NtpResponse::parse(text).map(|response| response.now(now)), ntp_response(text, now, now));
    if let Ok(ShadowMessage::Control(state) | ShadowMessage::Reply(Ok(state))) = ShadowMessage::parse(text)
        && let Some(desired) = state.desired
    {
        assert!(desired.as_str().starts_with('{') && text.contains(desired.as_str()), "{desired:?}");
    }
    let _ = shadow_delete(&[text], 1);
}

/// A block of a file that comes or goes, or the answer that refuses one; and a block with that for its head's id, which has the right checksum.
pub fn file_blocks(data: &[u8]) {
    let (id, block) = data.split_at(data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len()));
    if let Some(id) = crate::text(id) {
        let upload = UploadBlockFrame { id, about: FileUploadSendRequest::new(id, 0, 0), block };
        if let Ok(frame) = upload.to_bytes()
            && let Ok(read) = UploadBlockFrame::parse(&frame)
        {
            assert_eq!(read.block, block);
        }
        let about = FileDownloadResponse::new(0, 0);
        if let Ok(frame) = (FileBlockFrame { id, about, block }).to_bytes()
            && let Ok(read) = FileBlockFrame::parse(&frame)
        {
            assert_eq!(read.block, block);
        }
    }
    if let Ok(frame) = FileBlockFrame::parse(data)
        && let Ok(written) = frame.to_bytes()
    {
        assert_eq!(FileBlockFrame::parse(&written).as_ref(), Ok(&frame));
    }
    if let Ok(frame) = UploadBlockFrame::parse(data)
        && let Ok(written) = frame.to_bytes()
    {
        assert_eq!(UploadBlockFrame::parse(&written).as_ref(), Ok(&frame));
    }
}

pub(crate) fn document_seeds() -> Vec<Vec<u8>> {
    [
        "c|securemode=3,signmethod=hmacsha256,timestamp=1,ext=3,_ss=1|\nd&a1\nf00d\nproductKey=a1&deviceName=d&random=1&sign=f0&signMethod=hmacSha1",
        "d.a1|random=R,authType=register,securemode=2,signmethod=hmacmd5|\nd&a1\nf00d\n",
        "c|authType=connwl,securemode=-2|\nd&a1\ntoken\n",
        r#"{"deviceSecret":"s","productKey":"a1","deviceName":"d"}"#,
        r#"{"clientId":"c","productKey":"a1","deviceName":"d","deviceToken":"t"}"#,
        r#"{"code":200,"data":{"productKey":"a1","deviceName":"d","deviceSecret":"s"},"message":"success"}"#,
        r#"{"deviceSendTime":"1700000000000","serverRecvTime":1700000000010,"serverSendTime":"1700000000020"}"#,
        r#"{"method":"reply","payload":{"status":"success","state":{"reported":{"a":1},"desired":{"a":2}},"version":1},"timestamp":1}"#,
        r#"{"method":"reply","payload":{"status":"error","content":{"errorcode":"409","errormessage":"no"}},"timestamp":1}"#,
        r#"{"method":"control","payload":{"state":{"desired":{"a":[1,{}]}},"version":"4"},"version":5}"#,
    ]
    .map(|seed| seed.as_bytes().to_vec())
    .to_vec()
}

pub(crate) fn file_block_seeds() -> Vec<Vec<u8>> {
    let frames =
        [("\"7\"", b"".as_slice(), 0), ("8", b"abc", 0), ("\"x\"", &[0; 64], 5120)].map(|(id, block, offset)| {
            let about = FileDownloadResponse::new(block.len().try_into().unwrap_or_default(), offset);
            FileBlockFrame { id, about, block }.to_bytes().unwrap_or_default()
        });
    let refused = br#"{"id":"7","code":404,"message":"no"}"#;
    let refused = [&[0, refused.len().try_into().unwrap_or_default()], refused.as_slice()].concat();
    let upload = UploadBlockFrame { id: "\"7\"", about: FileUploadSendRequest::new("u1", 0, 3), block: b"abc" };
    frames.into_iter().chain([refused, upload.to_bytes().unwrap_or_default()]).collect()
}
