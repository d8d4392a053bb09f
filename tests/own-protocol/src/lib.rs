//! A protocol of one's own: two files of schema, a build script of one line, handlers for both sides.

use std::sync::atomic::{AtomicI64, Ordering};

// Generated from `schemas/`.
onwire::include_protocol!(pub mod till);

use till::{SaleRequest, SaleResponse};

/// Books what tills sell.
#[derive(Default)]
pub struct Office {
    receipts: AtomicI64,
}

#[onwire::handlers(crate::till, role = Office)]
impl Office {
    #[on(Sale)]
    async fn book(&self, _req: SaleRequest) -> SaleResponse {
        SaleResponse::new(self.receipts.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// Takes orders that the office sends it.
pub struct Till;

#[onwire::handlers(crate::till, role = Till)]
impl Till {
    #[on(Sale)]
    fn sell(&self, req: SaleRequest) -> Result<SaleResponse, onwire::CallError> {
        if req.payment.is_none() {
            return Err(onwire::CallError::new(onwire::ErrorCode::GenericError, "cash or card?"));
        }
        Ok(SaleResponse::new(1))
    }
}
