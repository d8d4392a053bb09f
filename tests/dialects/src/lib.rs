//! Three versions of OCPP, generated from unmodified schema folders, and our own 1.6 with a derive more. Without
//! `ONWIRE_OCPP_SCHEMAS` there is the latter only.

// What the generator writes has no warnings.
#![deny(warnings)]

/// OCPP 1.6 from our schemas, as `onwire::ocpp::v16` is, with `Arbitrary` for every type.
pub mod ours16 {
    onwire::include_protocol!("ours16");
}

#[cfg(schemas)]
pub mod v16 {
    onwire::include_protocol!("v16");
}

/// With `Arbitrary` for every type.
#[cfg(schemas)]
pub mod v201 {
    onwire::include_protocol!("v201");
}

#[cfg(schemas)]
pub mod v21 {
    onwire::include_protocol!("v21");
}

/// OCPP 1.6 in the plain flavour.
#[cfg(all(schemas, feature = "interop"))]
#[allow(clippy::all, warnings, reason = "what typify writes has warnings")]
pub mod plain {
    include!(concat!(env!("OUT_DIR"), "/plain.rs"));
}
