//! A protocol is written once, as a schema, and the same typed handlers run on a microcontroller and in a cloud server.
//!
//! - [`handlers`] turns an `impl` block with `#[on(Action)]` and `#[after(Action)]` methods into a [`Router`].
//! - [`ocpp::v16`] holds the types of OCPP 1.6, generated from `onwire-schemas` while this crate is built; a schema of
//!   your own goes the same way with `onwire-codegen` and [`include_protocol!`].
//! - [`Connection`] and [`session::Session`] are the protocol as values without I/O: `no_std` + `alloc`.
//! - `net`, behind the features `client` and `server`, drives them on tokio.
//!
//! ```
//! use onwire::ocpp::v16::*;
//! use onwire::types::DateTime;
//! use onwire::{CallFailure, Peer};
//!
//! struct Csms;
//!
//! #[onwire::handlers(ocpp::v16, role = CentralSystem)]
//! impl Csms {
//!     #[on(BootNotification)]
//!     async fn boot(&self, peer: &Peer, req: BootNotificationRequest) -> BootNotificationResponse {
//!         println!("{} is a {}", peer.identity(), req.charge_point_model);
//!         BootNotificationResponse::new(RegistrationStatus::Accepted, DateTime::now(), 300)
//!     }
//!
//!     #[after(BootNotification)]
//!     async fn booted(&self, peer: &Peer) {
//!         match peer.call(GetConfigurationRequest::default()).await {
//!             Ok(response) => println!("{} keys", response.configuration_key.map_or(0, |keys| keys.len())),
//!             Err(CallFailure::Timeout) => println!("no answer"),
//!             Err(other) => println!("{other}"),
//!         }
//!     }
//!
//!     #[on(Heartbeat)]
//!     fn heartbeat(&self) -> HeartbeatResponse {
//!         HeartbeatResponse::new(DateTime::now())
//!     }
//! }
//! ```
//!
//! # Features
//! `std`, `serde` and `ocpp16` are on by default; `client`, `server`, and TLS for them (`rustls`, `openssl`) are not.
//! Without `std` the crate needs `alloc` only, and no atomics. `arbitrary`, for fuzzing and property tests, makes random
//! values of the [`types`], hostile ones among them; `.derive("::arbitrary::Arbitrary")` of `onwire-codegen` does so for
//! generated types.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;
// Generated code and macros say `::onwire`, here as in any other crate.
#[allow(unused_extern_crates, reason = "without a protocol nothing says so")]
extern crate self as onwire;

mod core;
#[cfg(feature = "net")]
pub mod net;

pub use self::core::action::{Action, ReceivedBy, Request, Routed, Unanswered};
pub use self::core::call::{After, CallId, Cx, FromCall, IntoReply, On, RawPayload};
pub use self::core::connection::Connection;
pub use self::core::dialect::{Dialect, Secrets};
pub use self::core::error::{CallError, CallFailure, ErrorCode};
#[cfg(feature = "mqtt")]
pub use self::core::mqtt;
pub use self::core::peer::{Call, CallText, Peer};
pub use self::core::router::{Router, SendRouter};
pub use self::core::table::{ActionEntry, PayloadType};
pub use self::core::time::Instant;
pub use self::core::{codec, frame, session};
#[doc = include_str!("core/handlers.md")]
pub use onwire_macros::handlers;

/// Value types of generated messages.
pub mod types {
    pub use crate::core::date_time::DateTime;
    pub use crate::core::decimal::{Decimal, NotADecimal};
    pub use crate::core::raw_json::{AdditionalProperties, RawJson};
    pub use crate::core::text::{CiString, Text, TooLong};
    pub use crate::core::unrecognized::{NotAValue, Unrecognized};
}

/// OCPP: the frames of OCPP-J, and one module of types for each version.
pub mod ocpp {
    pub use crate::core::ocpp_j as j;

    #[cfg(feature = "ocpp16")]
    #[allow(clippy::all, reason = "generated")]
    pub mod v16 {
        //! OCPP 1.6.
        include!(concat!(env!("OUT_DIR"), "/ocpp_v16.rs"));
    }
}

/// Aliyun IoT: the frames of Alink. Types come from a thing model of your own, by `onwire_codegen::alink`. With the feature
/// `alink` also what every device has beside its model: signatures, logins and registration, topics, and the module `system`.
///
/// The generated module has the roles `Device` and `Platform`, and their actions:
///
/// | method | action | started by | request | answer |
/// |---|---|---|---|---|
/// | `thing.event.property.post` | `PropertyPost` | device | `Properties`, each as it is or with its time | nothing |
/// | `thing.service.property.set` | `PropertySet` | platform | `Properties` | nothing |
/// | `thing.service.property.get` | `PropertyGet` | platform | identifiers | `Properties` |
/// | `thing.event.{id}.post` | the event | device | what it tells, and its time | nothing |
/// | `thing.service.{id}` | the service | platform | its input | its output |
///
/// A handler may take `Properties`, or what an event tells, without the times; and it may return nothing where the answer is
/// nothing. An answer has the `code` 200, or that of the error: 460 for a parameter, 404 for what is not handled, 400 for a
/// broken message, 500 for the rest, and the device's own as [`ErrorCode::Other`] (the range for those
/// is 100000 to 110000). Message ids are echoed in the form in which they came, a number or a string.
///
/// What is read liberally beyond the [quirks](crate::codec::Quirk) of every protocol: a value with or without its time, that as
/// a number or as text; an event in its wrapping or bare; `true` and `false` for 1 and 0. Members of structs, of inputs and of
/// outputs have to be there. Text is measured in characters; whether the cloud counts bytes is not verified.
pub mod alink {
    pub use crate::core::alink::*;
    pub use crate::core::times::Times;

    /// The sides of every thing model and of the system's messages, so that one connection can have the handlers of both:
    /// `#[onwire::handlers(model, role = Device, rest = self.system)]`.
    pub mod role {
        /// The device.
        #[derive(Debug, Clone, Copy)]
        pub enum Device {}

        /// The platform.
        #[derive(Debug, Clone, Copy)]
        pub enum Platform {}
    }

    #[cfg(feature = "alink")]
    #[allow(clippy::all, reason = "generated")]
    #[doc = include_str!("core/alink/system.md")]
    pub mod system {
        include!(concat!(env!("OUT_DIR"), "/alink_system.rs"));
    }
}

/// Includes a protocol that the crate's `build.rs` generated with `onwire-codegen`.
///
/// ```ignore
/// onwire::include_protocol!(pub mod till);
/// ```
///
/// A program is one side of a protocol, and says nothing of the other: lints about that are off in the module. With a name alone
/// it includes what was generated into a module that is written by hand.
///
/// ```ignore
/// pub mod till {
///     onwire::include_protocol!("till");
/// }
/// ```
#[macro_export]
macro_rules! include_protocol {
    ($name:literal) => {
        include!(concat!(env!("OUT_DIR"), "/", $name, ".rs"));
    };
    ($(#[$attribute:meta])* $visibility:vis mod $name:ident) => {
        $(#[$attribute])*
        #[allow(
            warnings,
            clippy::all,
            clippy::nursery,
            clippy::pedantic,
            clippy::restriction,
            rustdoc::all,
            reason = "generated, and in the words of the schema: both sides"
        )]
        $visibility mod $name {
            include!(concat!(env!("OUT_DIR"), "/", stringify!($name), ".rs"));
        }
    };
}

/// What generated code and the macros call.
#[doc(hidden)]
pub mod __private {
    pub use crate::core::action::{assert_answered, assert_received_by};
    pub use crate::core::call::{no_reply, reply};
    pub use crate::core::router::rest_of;
    #[cfg(feature = "mqtt")]
    pub use crate::core::topic;
    pub use alloc::collections::BTreeMap;
    pub use alloc::string::String;
    pub use alloc::vec::Vec;
    #[cfg(feature = "serde")]
    pub use serde;

    /// A value that is there, even if it is `null`.
    ///
    /// # Errors
    /// Those of the value.
    #[cfg(feature = "serde")]
    pub fn present<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<crate::types::RawJson>, D::Error> {
        serde::Deserialize::deserialize(deserializer).map(Some)
    }

    /// The value of an enumeration whose values are numbers.
    #[cfg(feature = "serde")]
    pub fn numbered<T: crate::codec::Enumeration>(number: i64) -> T {
        let text = alloc::format!("{number}");
        T::from_wire(text.as_bytes()).unwrap_or_else(|| T::unrecognized(crate::types::Unrecognized::new(&text)))
    }
}
