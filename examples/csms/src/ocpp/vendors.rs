//! DataTransfer: what vendors have agreed on beyond OCPP.
//!
//! A handler names a vendor, and a message or all messages of that vendor; [`Vendors::with`] adds it where the server is
//! put together:
//!
//! ```
//! use csms::ocpp::vendors::{Echo, Vendors};
//! let vendors = Vendors::default().with(Echo);
//! ```

use std::fmt;

use futures_util::future::BoxFuture;
use onwire::Peer;
use onwire::ocpp::v16::{DataTransferResponse, DataTransferStatus};

/// Answers the DataTransfer messages of one vendor.
pub trait VendorHandler: Send + Sync {
    /// `vendorId`, compared without case.
    fn vendor_id(&self) -> &str;

    /// `messageId`, compared without case; `None`: any, and none.
    fn message_id(&self) -> Option<&str>;

    /// Answers with `Accepted` or `Rejected`, and with data if that was agreed on.
    fn answer<'a>(&'a self, peer: &'a Peer, data: Option<&'a str>) -> BoxFuture<'a, DataTransferResponse>;
}

/// The handlers by vendor and message.
#[derive(Default)]
pub struct Vendors(Vec<Box<dyn VendorHandler>>);

impl fmt::Debug for Vendors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.0.iter().map(|handler| (handler.vendor_id(), handler.message_id()));
        f.debug_list().entries(ids).finish()
    }
}

impl Vendors {
    /// With one more. Those for one message come before those for all, and earlier ones before later ones.
    #[must_use]
    pub fn with(mut self, handler: impl VendorHandler + 'static) -> Self {
        self.0.push(Box::new(handler));
        self
    }

    /// Answers a DataTransfer; `UnknownVendorId` and `UnknownMessageId` come without data (OCPP 1.6 §4.3).
    pub async fn answer(
        &self,
        peer: &Peer,
        vendor_id: &str,
        message_id: Option<&str>,
        data: Option<&str>,
    ) -> DataTransferResponse {
        let of_vendor = || self.0.iter().filter(|handler| handler.vendor_id().eq_ignore_ascii_case(vendor_id));
        let of_message = of_vendor().find(|handler| match (handler.message_id(), message_id) {
            (Some(handled), Some(message_id)) => handled.eq_ignore_ascii_case(message_id),
            _ => false,
        });
        match of_message.or_else(|| of_vendor().find(|handler| handler.message_id().is_none())) {
            Some(handler) => handler.answer(peer, data).await,
            None if of_vendor().next().is_some() => DataTransferResponse::new(DataTransferStatus::UnknownMessageId),
            None => DataTransferResponse::new(DataTransferStatus::UnknownVendorId),
        }
    }
}

/// An example, and a way to try a charge point's DataTransfer: vendor `onwire.example`, message `Echo`. It answers with the
/// data that it is sent, and rejects a message without data.
#[derive(Debug, Clone, Copy)]
pub struct Echo;

impl VendorHandler for Echo {
    fn vendor_id(&self) -> &'static str {
        "onwire.example"
    }

    fn message_id(&self) -> Option<&str> {
        Some("Echo")
    }

    fn answer<'a>(&'a self, _: &'a Peer, data: Option<&'a str>) -> BoxFuture<'a, DataTransferResponse> {
        let response = match data {
            Some(data) => DataTransferResponse {
                data: Some(data.into()),
                ..DataTransferResponse::new(DataTransferStatus::Accepted)
            },
            None => DataTransferResponse::new(DataTransferStatus::Rejected),
        };
        Box::pin(std::future::ready(response))
    }
}
