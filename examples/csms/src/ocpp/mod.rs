//! What charge points are answered, and what is sent to them.
//!
//! | module | what is there |
//! |---|---|
//! | [`admission`] | SecurityError for charge points that were never accepted |
//! | `handlers` | one method for each action |
//! | [`boot`] | boot policy, vendor extras, what is asked after a boot |
//! | [`authorization`] | IdTagInfo |
//! | [`status`] | StatusNotification and what it shows of transactions and reservations |
//! | [`transactions`] | StartTransaction, StopTransaction |
//! | [`metering`] | MeterValues, transactionData, energy registers |
//! | [`refused`] | CALLs that were refused for their payload |
//! | [`vendors`] | DataTransfer |
//! | [`certificates`] | SignCertificate |
//! | [`clocks`] | clocks that are ahead |
//! | `patience` | transaction messages while the database fails |
//! | [`configuration`] | answers to GetConfiguration |
//! | [`commands`] | what is sent to charge points, and what their answers change |
//! | [`local_list`] | local lists, in as many messages as they take |
//! | [`presence`] | who comes and goes; reservations that expire |

pub mod admission;
pub mod authorization;
pub mod boot;
pub mod certificates;
pub mod clocks;
pub mod commands;
pub mod configuration;
mod handlers;
pub mod local_list;
pub mod metering;
mod patience;
pub mod presence;
pub mod refused;
pub mod status;
pub mod transactions;
pub mod vendors;

pub use handlers::CentralSystem;
use onwire::Peer;

use crate::app::App;

/// The protocol that is spoken with it, by the name of its WebSocket subprotocol as the charge point spells it.
fn protocol(app: &App, peer: &Peer) -> &'static str {
    let connection = app.peers.find(peer.identity()).filter(|found| found.peer.is_same_connection(peer));
    // Without a connection of its own any more, it is no longer known how it was spelled.
    let first = || peer.dialect().subprotocols.first().copied();
    connection.and_then(|found| found.subprotocol).or_else(first).unwrap_or(peer.dialect().name)
}
