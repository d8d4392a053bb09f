//! TCP, or TLS over it.

#[cfg(feature = "rustls")]
pub(in crate::net) use with_tls::Stream;

/// The stream of every connection.
#[cfg(not(feature = "rustls"))]
pub(in crate::net) type Stream = tokio::net::TcpStream;

#[cfg(feature = "rustls")]
mod with_tls {
    use std::fmt;
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
    use tokio::net::TcpStream;
    use tokio_rustls::client::TlsStream;

    /// The stream of a connection.
    pub(in crate::net) enum Stream {
        Plain(TcpStream),
        Tls(Box<TlsStream<TcpStream>>),
    }

    impl fmt::Debug for Stream {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(match self {
                Self::Plain(_) => "Plain",
                Self::Tls(_) => "Tls",
            })
        }
    }

    macro_rules! delegate {
        ($self:expr, $method:ident($($argument:expr),*)) => {
            match $self.get_mut() {
                Stream::Plain(stream) => Pin::new(stream).$method($($argument),*),
                Stream::Tls(stream) => Pin::new(stream).$method($($argument),*),
            }
        };
    }

    impl AsyncRead for Stream {
        fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            delegate!(self, poll_read(context, to))
        }
    }

    impl AsyncWrite for Stream {
        fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            delegate!(self, poll_write(context, bytes))
        }

        fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            delegate!(self, poll_flush(context))
        }

        fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            delegate!(self, poll_shutdown(context))
        }
    }
}
