//! Registration over HTTPS: one form, one answer.

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;

use super::register::RegisterFailure;
use crate::alink::{
    DeviceRef, NotRegistered, REGISTER_PATH, Registered, Secret, SignMethod, parse_register_answer, register_form,
};
use crate::net::client::{Address, ConnectError, Tls, stream};

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 16 * 1024;

/// Posts the form to `https://host[:port]`, or without TLS to `http://`.
pub(super) async fn register(
    url: &str,
    tls: Option<&Tls>,
    device: DeviceRef<'_>,
    product_secret: &Secret,
    method: SignMethod,
) -> Result<Registered, RegisterFailure> {
    let address = Address::of(url, ("http", 80), ("https", 443))?;
    if address.is_tls() && tls.is_none() {
        return Err(ConnectError::NoTls.into());
    }
    let stream = stream(&address, tls).await?;
    let form = register_form(device, product_secret, &super::register::random(), method);
    let request = Request::post(REGISTER_PATH)
        .header(header::HOST, address.host_and_port())
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json")
        .body(Full::new(Bytes::from(form)))
        .map_err(|error| RegisterFailure::Http(error.into()))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| RegisterFailure::Http(error.into()))?;
    let exchange = async move {
        let response = sender.send_request(request).await.map_err(|error| RegisterFailure::Http(error.into()))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(RegisterFailure::Http)?;
        Ok::<_, RegisterFailure>((status, body.to_bytes()))
    };
    // Once it has the answer, nobody holds the connection any more, which ends.
    let (answer, _) = futures_util::future::join(exchange, connection).await;
    let (status, body) = answer?;
    match parse_register_answer(&String::from_utf8_lossy(&body)) {
        Ok(registered) => Ok(registered),
        Err(refused @ NotRegistered::Refused { .. }) => Err(RegisterFailure::Refused(refused)),
        Err(_) if status != StatusCode::OK => Err(RegisterFailure::Status(status)),
        Err(NotRegistered::Unreadable(error)) => Err(error.into()),
    }
}
