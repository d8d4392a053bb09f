//! What lies between TCP and HTTP: nothing, or TLS.

use std::future::Future;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Turns an accepted TCP connection into the stream that is served.
pub trait Transport: Send + Sync + 'static {
    /// The stream.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Whether what it carries is encrypted on the way from the client. Default `false`.
    const IS_ENCRYPTED: bool = false;

    /// Completes the handshake of this layer.
    ///
    /// # Errors
    /// Those of the layer; the connection is dropped.
    fn accept(&self, stream: TcpStream) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// The client's own certificate, in DER, if it has shown one that was checked.
    fn client_certificate(stream: &Self::Stream) -> Option<Vec<u8>>;
}

/// No TLS: for a private network, or behind a proxy that has it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain;

impl Transport for Plain {
    type Stream = TcpStream;

    async fn accept(&self, stream: TcpStream) -> io::Result<TcpStream> {
        Ok(stream)
    }

    fn client_certificate(_: &TcpStream) -> Option<Vec<u8>> {
        None
    }
}
