//! Three versions of OCPP, generated from unmodified schema folders. Without `ONWIRE_OCPP_SCHEMAS` there is nothing here.

// What the generator writes has no warnings.
#![deny(warnings)]

#[cfg(schemas)]
pub mod v16 {
    onwire::include_protocol!("v16");
}

#[cfg(schemas)]
pub mod v201 {
    onwire::include_protocol!("v201");
}

#[cfg(schemas)]
pub mod v21 {
    onwire::include_protocol!("v21");
}
