//! One version of a protocol, or several, on one server.

use std::future::Future;

use crate::{Connection, Dialect, SendRouter};

/// What a server serves: handlers of one protocol version, or a tuple of handlers, one type for each version.
///
/// The version belongs to the connection and not to the identity: a charge point may come with another one next time.
///
/// ```ignore
/// server.serve((central_system_1_6, csms_2_0_1)).await
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no handlers that a server can run",
    note = "write `#[onwire::handlers(protocol, role = Role)]` above its `impl` block, without `local`: a server needs futures that are `Send`, and a type that is `Send + Sync`"
)]
pub trait Versions: Send + Sync {
    /// The version that a WebSocket subprotocol stands for, if it is one of these.
    fn dialect(subprotocol: &str) -> Option<&'static Dialect>;

    /// The version that has no subprotocol, if one of these has none: it is spoken with clients that offer none.
    fn without_subprotocol() -> Option<&'static Dialect>;

    /// Runs the handlers of the connection's version until the connection ends.
    fn serve<'a>(&'a self, connection: &'a Connection) -> impl Future<Output = ()> + Send + 'a;
}

impl<R: SendRouter> Versions for R {
    fn dialect(subprotocol: &str) -> Option<&'static Dialect> {
        R::DIALECT.subprotocols.contains(&subprotocol).then_some(R::DIALECT)
    }

    fn without_subprotocol() -> Option<&'static Dialect> {
        R::DIALECT.subprotocols.is_empty().then_some(R::DIALECT)
    }

    fn serve<'a>(&'a self, connection: &'a Connection) -> impl Future<Output = ()> + Send + 'a {
        connection.serve_send(self)
    }
}

/// Whether the connection's version is one of `V`.
fn speaks<V: Versions>(connection: &Connection) -> bool {
    let dialect = connection.peer().dialect();
    let found = match dialect.subprotocols.first() {
        Some(subprotocol) => V::dialect(subprotocol),
        None => V::without_subprotocol(),
    };
    found.is_some_and(|found| std::ptr::eq(found, dialect))
}

macro_rules! tuple {
    ($($version:ident $field:tt),+) => {
        impl<$($version: Versions),+> Versions for ($($version,)+) {
            fn dialect(subprotocol: &str) -> Option<&'static Dialect> {
                None$(.or_else(|| $version::dialect(subprotocol)))+
            }

            fn without_subprotocol() -> Option<&'static Dialect> {
                None$(.or_else(|| $version::without_subprotocol()))+
            }

            async fn serve<'a>(&'a self, connection: &'a Connection) {
                $(if speaks::<$version>(connection) {
                    return self.$field.serve(connection).await;
                })+
            }
        }
    };
}

tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
