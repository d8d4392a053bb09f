//! OCPP messages as everybody has them who generates a protocol: outside of the crate `onwire`.

onwire::include_protocol!(pub mod outside);
