//! From an address to an MQTT connection that the platform has accepted.

use crate::mqtt::{Client, Connect, Link, Packet};
use crate::net::client::{Address, ConnectError, Stream, Tls, stream};
use crate::net::clock::Clock;

use super::socket::{next_packet, write_all};

/// Opens the stream and logs in on it.
pub(super) async fn login(
    address: &Address,
    tls: Option<&Tls>,
    link: &mut Link<Client>,
    connect: &Connect,
    clock: Clock,
) -> Result<Stream, ConnectError> {
    let mut stream = stream(address, tls).await?;
    link.connect(connect, clock.now()).map_err(|_| ConnectError::LoginTooLong)?;
    write_all(&mut stream, link).await.map_err(|source| unreachable(address, source))?;
    let no_login = |ended| ConnectError::NoLogin(Box::new(ended));
    match next_packet(&mut stream, link, clock).await.map_err(no_login)? {
        Packet::Accepted { .. } => Ok(stream),
        Packet::Refused(refused) => Err(ConnectError::Login(refused)),
        _ => Err(no_login(crate::mqtt::Fault::Protocol.into())),
    }
}

/// The stream failed.
pub(super) fn unreachable(address: &Address, source: std::io::Error) -> ConnectError {
    ConnectError::Unreachable { host: address.host_and_port().to_owned(), source }
}
