//! Alink: frames, topics, signatures, and what carries them over MQTT.

#[cfg(feature = "alink")]
mod channel;
#[cfg(feature = "alink")]
mod claim;
#[cfg(feature = "alink")]
mod clock;
#[cfg(feature = "alink")]
mod combine;
#[cfg(feature = "alink")]
mod digest;
#[cfg(feature = "alink")]
mod endpoint;
#[cfg(feature = "alink")]
mod file_block;
#[cfg(feature = "alink")]
mod filter;
mod framing;
#[cfg(feature = "alink")]
mod gateway;
#[cfg(feature = "alink")]
mod login;
#[cfg(feature = "alink")]
mod register;
#[cfg(feature = "alink")]
mod routes;
#[cfg(feature = "alink")]
mod secret;
#[cfg(feature = "alink")]
mod shadow;
#[cfg(feature = "alink")]
mod sign;
#[cfg(feature = "alink")]
mod sub_device;
#[cfg(feature = "alink")]
mod taken;
#[cfg(feature = "alink")]
mod topic;
#[cfg(feature = "alink")]
mod upgrade;
#[cfg(feature = "alink")]
mod upload_block;

pub use self::framing::{FRAMING, spell};

#[cfg(all(feature = "alink", feature = "net"))]
pub(crate) use self::taken::Taken;
#[cfg(feature = "alink")]
pub use self::{
    channel::{Channel, Incoming},
    claim::{Claim, ClaimKind, NoClaim},
    clock::{NtpResponse, ntp_request, ntp_response},
    combine::{SessionCall, SessionRequest, SubDeviceLogin},
    digest::FileDigest,
    endpoint::{instance_host, regional_host, register_host},
    file_block::{FileBlockFrame, NoFileBlock},
    filter::matches,
    gateway::{SubDeviceError, SubDeviceFault, SubDeviceRefused},
    login::{Login, LoginError, LoginOptions, RegisterOptions, SecureMode},
    register::{
        NoForm, NotRegistered, REGISTER_PATH, RegisterForm, Registered, RegisteredUnlisted, parse_register_answer,
        register_answer, register_form,
    },
    routes::{Arrived, NotSent, Routes, SyncServices},
    secret::Secret,
    shadow::{
        ShadowMessage, ShadowRefused, ShadowState, shadow_clear_desired, shadow_delete, shadow_get, shadow_report,
    },
    sign::{SignMethod, WrongSignature, sign, verify},
    sub_device::SubDevice,
    topic::{DeviceRef, Ota, RawDirection, Topic},
    upload_block::UploadBlockFrame,
};
#[cfg(feature = "alink")]
pub use crate::core::topic::Direction;
