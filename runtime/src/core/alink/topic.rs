//! Topics: what a message is for, and whose it is.

use core::fmt;

/// A device, as topics name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceRef<'a> {
    /// `ProductKey`: which product it is of.
    pub product_key: &'a str,
    /// `DeviceName`: which one of these, unique within the product.
    pub device_name: &'a str,
}

/// What a topic is for, and whose. Read from the most special to the most general, so that `thing/service/property/set` is
/// not the service `property/set`; written back by `Display`.
///
/// ```
/// use onwire::alink::{DeviceRef, Topic};
///
/// let device = DeviceRef { product_key: "a1X", device_name: "SN1" };
/// let topic = Topic::parse("/sys/a1X/SN1/thing/event/property/post_reply");
/// assert_eq!(topic, Some(Topic::ThingReply { device, path: "event/property/post" }));
/// assert_eq!(Topic::Thing { device, path: "service/Start" }.to_string(), "/sys/a1X/SN1/thing/service/Start");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Topic<'a> {
    /// `/sys/{pk}/{dn}/thing/{path}`: a message with a method, which is `thing` and the path with dots.
    Thing {
        /// Whose.
        device: DeviceRef<'a>,
        /// `event/property/post`, `service/Start`, ..
        path: &'a str,
    },
    /// `/sys/{pk}/{dn}/thing/{path}_reply`: the answer to one.
    ThingReply {
        /// Whose.
        device: DeviceRef<'a>,
        /// That of the message that is answered.
        path: &'a str,
    },
    /// `/sys/{pk}/{dn}/rrpc/request/{id}`: a service that waits for its answer, for devices that do not ask for the extended
    /// topic.
    RrpcRequest {
        /// Whose.
        device: DeviceRef<'a>,
        /// Goes into the topic of the answer.
        id: &'a str,
    },
    /// `/sys/{pk}/{dn}/rrpc/response/{id}`.
    RrpcResponse {
        /// Whose.
        device: DeviceRef<'a>,
        /// That of the request.
        id: &'a str,
    },
    /// `/ext/rrpc/{id}/{rest}`: a request of the platform that waits for its answer, which comes back on the same topic. The
    /// rest is any topic, with or without a slash before it: [`Topic::Thing`] for a service, one of the user's for anything else.
    ExtRrpc {
        /// Tells requests apart.
        id: &'a str,
        /// What follows the id, its slash included.
        rest: &'a str,
    },
    /// `/sys/{pk}/{dn}/thing/model/{direction}`: bytes that are no Alink.
    Raw {
        /// Whose.
        device: DeviceRef<'a>,
        /// Up or down, and whether it is the answer.
        direction: RawDirection,
    },
    /// `/ota/device/{what}/{pk}/{dn}`.
    Ota {
        /// Whose.
        device: DeviceRef<'a>,
        /// Which step.
        what: Ota,
    },
    /// `/ext/ntp/{pk}/{dn}/request` or `response`.
    Ntp {
        /// Whose.
        device: DeviceRef<'a>,
        /// Whether it is the platform's answer.
        is_response: bool,
    },
    /// `/shadow/update/{pk}/{dn}`: what the device says of its shadow.
    ShadowUpdate {
        /// Whose.
        device: DeviceRef<'a>,
    },
    /// `/shadow/get/{pk}/{dn}`: what the platform says of it.
    ShadowGet {
        /// Whose.
        device: DeviceRef<'a>,
    },
    /// `/ext/session/{pk}/{dn}/{action}`: sub-devices come and go; `_reply` stays part of the action.
    Session {
        /// The gateway.
        device: DeviceRef<'a>,
        /// `combine/login`, `combine/batch_logout_reply`, ..
        action: &'a str,
    },
    /// `/ext/register`: the secret of a device that was registered over MQTT; nobody subscribes to it.
    Register,
    /// `/ext/regnwl`: the token of one that was not known before.
    RegisterUnlisted,
    /// `/ext/error/{pk}/{dn}`: what went wrong with a sub-device.
    Error {
        /// The gateway.
        device: DeviceRef<'a>,
    },
    /// `/broadcast/{pk}/{rest}`: to all devices of a product.
    Broadcast {
        /// Whose.
        product_key: &'a str,
        /// What follows.
        rest: &'a str,
    },
    /// `/sys/{pk}/{dn}/{rest}`: whatever else the platform and the device have to say to each other.
    System {
        /// Whose.
        device: DeviceRef<'a>,
        /// What follows.
        rest: &'a str,
    },
    /// `/{pk}/{dn}/user/{rest}`: the user's own.
    User {
        /// Whose.
        device: DeviceRef<'a>,
        /// What follows `user/`.
        rest: &'a str,
    },
}

/// A step of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ota {
    /// The device tells what it runs.
    Inform,
    /// The platform tells what there is.
    Upgrade,
    /// The device tells how far it is.
    Progress,
    /// The device asks what there is, as old ones do.
    Request,
}

/// The way of raw bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RawDirection {
    /// From the device.
    Up,
    /// The platform's answer to it.
    UpReply,
    /// From the platform.
    Down,
    /// The device's answer to it.
    DownReply,
}

impl Ota {
    const ALL: [Self; 4] = [Self::Inform, Self::Upgrade, Self::Progress, Self::Request];

    fn name(self) -> &'static str {
        match self {
            Self::Inform => "inform",
            Self::Upgrade => "upgrade",
            Self::Progress => "progress",
            Self::Request => "request",
        }
    }
}

impl RawDirection {
    const ALL: [Self; 4] = [Self::Up, Self::UpReply, Self::Down, Self::DownReply];

    fn name(self) -> &'static str {
        match self {
            Self::Up => "up_raw",
            Self::UpReply => "up_raw_reply",
            Self::Down => "down_raw",
            Self::DownReply => "down_raw_reply",
        }
    }
}

impl<'a> Topic<'a> {
    /// Reads a topic; `None` if it is none of these.
    pub fn parse(topic: &'a str) -> Option<Self> {
        let (kind, rest) = topic.strip_prefix('/')?.split_once('/')?;
        match kind {
            "sys" => Self::system(rest),
            "ext" => Self::extended(rest),
            "ota" => {
                let (what, device) = rest.strip_prefix("device/")?.split_once('/')?;
                let what = Ota::ALL.into_iter().find(|step| step.name() == what)?;
                Some(Self::Ota { device: whole(device)?, what })
            }
            "shadow" => match rest.split_once('/')? {
                ("update", device) => Some(Self::ShadowUpdate { device: whole(device)? }),
                ("get", device) => Some(Self::ShadowGet { device: whole(device)? }),
                _ => None,
            },
            "broadcast" => {
                let (product_key, rest) = rest.split_once('/')?;
                (!product_key.is_empty()).then_some(Self::Broadcast { product_key, rest })
            }
            product_key => {
                let (device_name, rest) = rest.split_once('/')?;
                let device = named(product_key, device_name)?;
                Some(Self::User { device, rest: rest.strip_prefix("user/")? })
            }
        }
    }

    fn system(rest: &'a str) -> Option<Self> {
        let (device, rest) = first(rest)?;
        if let Some(id) = rest.strip_prefix("rrpc/request/") {
            return is_id(id).then_some(Self::RrpcRequest { device, id });
        }
        if let Some(id) = rest.strip_prefix("rrpc/response/") {
            return is_id(id).then_some(Self::RrpcResponse { device, id });
        }
        if let Some(name) = rest.strip_prefix("thing/model/")
            && let Some(direction) = RawDirection::ALL.into_iter().find(|direction| direction.name() == name)
        {
            return Some(Self::Raw { device, direction });
        }
        Some(match rest.strip_prefix("thing/") {
            Some(path) => match path.strip_suffix("_reply") {
                Some(path) => Self::ThingReply { device, path },
                None => Self::Thing { device, path },
            },
            None => Self::System { device, rest },
        })
    }

    fn extended(rest: &'a str) -> Option<Self> {
        let (kind, rest) = match rest.split_once('/') {
            Some(parts) => parts,
            None => {
                return match rest {
                    "register" => Some(Self::Register),
                    "regnwl" => Some(Self::RegisterUnlisted),
                    _ => None,
                };
            }
        };
        match kind {
            "rrpc" => {
                let slash = rest.find('/')?;
                let (id, rest) = rest.split_at_checked(slash)?;
                is_id(id).then_some(Self::ExtRrpc { id, rest })
            }
            "ntp" => {
                let (device, rest) = first(rest)?;
                match rest {
                    "request" => Some(Self::Ntp { device, is_response: false }),
                    "response" => Some(Self::Ntp { device, is_response: true }),
                    _ => None,
                }
            }
            "session" => {
                let (device, action) = first(rest)?;
                Some(Self::Session { device, action })
            }
            "error" => Some(Self::Error { device: whole(rest)? }),
            _ => None,
        }
    }

    /// Where the answer belongs of whoever is asked on this topic; `None` where nobody is asked.
    pub fn answer(&self) -> Option<Self> {
        Some(match *self {
            Self::Thing { device, path } => Self::ThingReply { device, path },
            Self::RrpcRequest { device, id } => Self::RrpcResponse { device, id },
            Self::ExtRrpc { .. } => *self,
            Self::Raw { device, direction: RawDirection::Up } => Self::Raw { device, direction: RawDirection::UpReply },
            Self::Raw { device, direction: RawDirection::Down } => {
                Self::Raw { device, direction: RawDirection::DownReply }
            }
            Self::Ntp { device, is_response: false } => Self::Ntp { device, is_response: true },
            Self::ShadowUpdate { device } => Self::ShadowGet { device },
            _ => return None,
        })
    }

    /// Whose it is, where it says so.
    pub fn device(&self) -> Option<DeviceRef<'a>> {
        match *self {
            Self::Thing { device, .. }
            | Self::ThingReply { device, .. }
            | Self::RrpcRequest { device, .. }
            | Self::RrpcResponse { device, .. }
            | Self::Raw { device, .. }
            | Self::Ota { device, .. }
            | Self::Ntp { device, .. }
            | Self::ShadowUpdate { device }
            | Self::ShadowGet { device }
            | Self::Session { device, .. }
            | Self::Error { device }
            | Self::System { device, .. }
            | Self::User { device, .. } => Some(device),
            Self::ExtRrpc { rest, .. } => Self::parse(rest)?.device(),
            Self::Register | Self::RegisterUnlisted | Self::Broadcast { .. } => None,
        }
    }
}

impl fmt::Display for DeviceRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.product_key, self.device_name)
    }
}

impl fmt::Display for Topic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Thing { device, path } => write!(f, "/sys/{device}/thing/{path}"),
            Self::ThingReply { device, path } => write!(f, "/sys/{device}/thing/{path}_reply"),
            Self::RrpcRequest { device, id } => write!(f, "/sys/{device}/rrpc/request/{id}"),
            Self::RrpcResponse { device, id } => write!(f, "/sys/{device}/rrpc/response/{id}"),
            Self::ExtRrpc { id, rest } => write!(f, "/ext/rrpc/{id}{rest}"),
            Self::Raw { device, direction } => write!(f, "/sys/{device}/thing/model/{}", direction.name()),
            Self::Ota { device, what } => write!(f, "/ota/device/{}/{device}", what.name()),
            Self::Ntp { device, is_response: false } => write!(f, "/ext/ntp/{device}/request"),
            Self::Ntp { device, is_response: true } => write!(f, "/ext/ntp/{device}/response"),
            Self::ShadowUpdate { device } => write!(f, "/shadow/update/{device}"),
            Self::ShadowGet { device } => write!(f, "/shadow/get/{device}"),
            Self::Session { device, action } => write!(f, "/ext/session/{device}/{action}"),
            Self::Register => f.write_str("/ext/register"),
            Self::RegisterUnlisted => f.write_str("/ext/regnwl"),
            Self::Error { device } => write!(f, "/ext/error/{device}"),
            Self::Broadcast { product_key, rest } => write!(f, "/broadcast/{product_key}/{rest}"),
            Self::System { device, rest } => write!(f, "/sys/{device}/{rest}"),
            Self::User { device, rest } => write!(f, "/{device}/user/{rest}"),
        }
    }
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && !id.contains('/')
}

fn named<'a>(product_key: &'a str, device_name: &'a str) -> Option<DeviceRef<'a>> {
    (!product_key.is_empty() && !device_name.is_empty()).then_some(DeviceRef { product_key, device_name })
}

/// `{pk}/{dn}/{rest}`.
fn first(text: &str) -> Option<(DeviceRef<'_>, &str)> {
    let (product_key, rest) = text.split_once('/')?;
    let (device_name, rest) = rest.split_once('/')?;
    Some((named(product_key, device_name)?, rest))
}

/// `{pk}/{dn}` and nothing else.
fn whole(text: &str) -> Option<DeviceRef<'_>> {
    let (product_key, device_name) = text.split_once('/')?;
    if device_name.contains('/') { None } else { named(product_key, device_name) }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    const DEVICE: DeviceRef<'_> = DeviceRef { product_key: "a1", device_name: "d" };

    #[test]
    fn every_topic_is_read_and_written_back() {
        let device = DEVICE;
        let cases = [
            ("/sys/a1/d/thing/event/property/post", Topic::Thing { device, path: "event/property/post" }),
            ("/sys/a1/d/thing/service/property/set", Topic::Thing { device, path: "service/property/set" }),
            ("/sys/a1/d/thing/service/meter:Start_reply", Topic::ThingReply { device, path: "service/meter:Start" }),
            ("/sys/a1/d/thing/event/Fault/post_reply", Topic::ThingReply { device, path: "event/Fault/post" }),
            ("/sys/a1/d/thing/model/up_raw", Topic::Raw { device, direction: RawDirection::Up }),
            ("/sys/a1/d/thing/model/up_raw_reply", Topic::Raw { device, direction: RawDirection::UpReply }),
            ("/sys/a1/d/thing/model/down_raw_reply", Topic::Raw { device, direction: RawDirection::DownReply }),
            ("/sys/a1/d/rrpc/request/77", Topic::RrpcRequest { device, id: "77" }),
            ("/sys/a1/d/rrpc/response/77", Topic::RrpcResponse { device, id: "77" }),
            ("/ext/rrpc/77/sys/a1/d/thing/service/Go", Topic::ExtRrpc { id: "77", rest: "/sys/a1/d/thing/service/Go" }),
            ("/ext/rrpc/77/any/thing", Topic::ExtRrpc { id: "77", rest: "/any/thing" }),
            ("/ota/device/upgrade/a1/d", Topic::Ota { device, what: Ota::Upgrade }),
            ("/ota/device/inform/a1/d", Topic::Ota { device, what: Ota::Inform }),
            ("/ext/ntp/a1/d/request", Topic::Ntp { device, is_response: false }),
            ("/ext/ntp/a1/d/response", Topic::Ntp { device, is_response: true }),
            ("/shadow/update/a1/d", Topic::ShadowUpdate { device }),
            ("/shadow/get/a1/d", Topic::ShadowGet { device }),
            ("/ext/session/a1/d/combine/login_reply", Topic::Session { device, action: "combine/login_reply" }),
            ("/ext/register", Topic::Register),
            ("/ext/regnwl", Topic::RegisterUnlisted),
            ("/ext/error/a1/d", Topic::Error { device }),
            ("/broadcast/a1/news/today", Topic::Broadcast { product_key: "a1", rest: "news/today" }),
            ("/sys/a1/d/_thing/diag/post", Topic::System { device, rest: "_thing/diag/post" }),
            ("/a1/d/user/update/error", Topic::User { device, rest: "update/error" }),
        ];
        for (text, topic) in cases {
            assert_eq!(Topic::parse(text), Some(topic), "{text}");
            assert_eq!(topic.to_string(), text);
        }
        assert_eq!(cases[9].1.device(), Some(device), "a service over RRPC is its device's");
        assert_eq!(cases[10].1.device(), None);
    }

    #[test]
    fn other_topics_are_none() {
        for text in [
            "",
            "/",
            "sys/a1/d/thing/x",
            "/sys",
            "/sys/a1",
            "/sys/a1/d",
            "/sys//d/thing/x",
            "/sys/a1//thing/x",
            "/ext",
            "/ext/",
            "/ext/rrpc/77",
            "/ext/rrpc//sys",
            "/ext/ntp/a1/d/other",
            "/ota/device/dance/a1/d",
            "/ota/device/inform/a1/d/e",
            "/shadow/put/a1/d",
            "/shadow/get/a1",
            "/a1/d/other/x",
            "/a1/d/user",
            "//d/user/x",
            "/broadcast//x",
            "/sys/a1/d/rrpc/request/",
            "/sys/a1/d/rrpc/request/7/8",
        ] {
            assert_eq!(Topic::parse(text), None, "{text}");
        }
    }
}
