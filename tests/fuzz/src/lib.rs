//! What reads the bytes of others: for each of it a function that takes any bytes and panics if something is wrong.
//!
//! libFuzzer calls them (`fuzz_targets/`, `cargo xtask fuzz`), and the tests of this package do, with a few thousand changes of
//! each seed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a target that panics has found something")]

mod alink;
mod documents;
mod generator;
mod mqtt;
mod ocpp;
mod payloads;
mod topics;

pub use self::alink::alink_messages;
pub use self::documents::{alink_documents, file_blocks};
pub use self::generator::{thing_model, topic_table};
pub use self::mqtt::{mqtt_client, mqtt_server};
pub use self::ocpp::ocpp_frames;
pub use self::payloads::payloads;
pub use self::topics::topics;

/// A smart socket.
pub mod socket {
    #![allow(missing_docs, clippy::all, reason = "generated")]
    onwire::include_protocol!("socket");
}

/// What is fuzzed.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name of its program.
    pub name: &'static str,
    /// Takes an input.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Whether an input that is right takes milliseconds.
    pub is_slow: bool,
}

/// All of them.
pub const TARGETS: [Target; 10] = [
    Target { name: "thing_model", run: thing_model, seeds: generator::thing_model_seeds, is_slow: true },
    Target { name: "topic_table", run: topic_table, seeds: generator::topic_table_seeds, is_slow: true },
    Target { name: "mqtt_client", run: mqtt_client, seeds: mqtt::client_seeds, is_slow: false },
    Target { name: "mqtt_server", run: mqtt_server, seeds: mqtt::server_seeds, is_slow: false },
    Target { name: "topics", run: topics, seeds: topics::seeds, is_slow: false },
    Target { name: "alink_messages", run: alink_messages, seeds: alink::seeds, is_slow: false },
    Target { name: "alink_documents", run: alink_documents, seeds: documents::document_seeds, is_slow: false },
    Target { name: "file_blocks", run: file_blocks, seeds: documents::file_block_seeds, is_slow: false },
    Target { name: "ocpp_frames", run: ocpp_frames, seeds: ocpp::seeds, is_slow: false },
    Target { name: "payloads", run: payloads, seeds: payloads::seeds, is_slow: false },
];

/// Text of an input; what is no text is of no use to those that take text.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}
