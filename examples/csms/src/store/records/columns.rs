//! Columns whose type in the database is not their type in JSON.

use onwire::types::DateTime;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::Ref;

use crate::store::sql::Parameter;

/// Milliseconds since 1970; in JSON an RFC 3339 date-time in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, sqlx::Type, ToSchema)]
#[sqlx(transparent)]
#[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05.678Z")]
pub struct Time(pub i64);

impl From<DateTime> for Time {
    fn from(time: DateTime) -> Self {
        Self(time.unix_millis())
    }
}

impl From<Time> for DateTime {
    fn from(time: Time) -> Self {
        Self::from_unix_millis(time.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        DateTime::from(*self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DateTime::deserialize(deserializer).map(Self::from)
    }
}

impl Parameter for Time {
    type Stored = i64;

    fn stored(self) -> i64 {
        self.0
    }
}

/// 0 or 1; in JSON `true` or `false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type, ToSchema)]
#[sqlx(transparent)]
#[schema(value_type = bool)]
pub struct Flag(pub i64);

impl Serialize for Flag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(self.0 != 0)
    }
}

/// JSON text; in JSON the value that it is.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::Type, ToSchema)]
#[sqlx(transparent)]
#[schema(value_type = Value)]
pub struct Json(pub String);

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer).map_err(D::Error::custom)?;
        Ok(Self(value.to_string()))
    }
}

/// Names of OCPP's types among the schemas of the OpenAPI document begin with it.
pub const OCPP_SCHEMAS: &str = "ocpp16.";

/// OCPP's ChargingProfile, in the OpenAPI document.
pub fn charging_profile() -> Ref {
    Ref::from_schema_name(format!("{OCPP_SCHEMAS}ChargingProfile"))
}

/// OCPP's IdTagInfo, in the OpenAPI document.
pub fn id_tag_info() -> Ref {
    Ref::from_schema_name(format!("{OCPP_SCHEMAS}IdTagInfo"))
}
