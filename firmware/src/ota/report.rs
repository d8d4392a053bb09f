//! What an update asks the device to say and to do.

use alloc::string::String;

use super::Fetch;

/// Why an update failed: the negative steps of `/ota/device/progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// -1: the update is not possible: an unknown module, no room, another one is about to be started.
    Upgrade,
    /// -2: the bytes could not be had.
    Download,
    /// -3: what was written does not have the digest that was offered.
    Verify,
    /// -4: it could not be written or handed over, or the module does not run it after the restart.
    Flash,
}

impl Reason {
    /// The number on the wire, from -1 to -4.
    pub const fn step(self) -> i8 {
        match self {
            Self::Upgrade => -1,
            Self::Download => -2,
            Self::Verify => -3,
            Self::Flash => -4,
        }
    }

    /// What a step on the wire means, if it is a failure.
    pub const fn from_step(step: i8) -> Option<Self> {
        Some(match step {
            -1 => Self::Upgrade,
            -2 => Self::Download,
            -3 => Self::Verify,
            -4 => Self::Flash,
            _ => return None,
        })
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Publish `{"id":"…","params":{"version":…,"module":…}}` to `/ota/device/inform/{pk}/{dn}`.
    Inform {
        /// The module.
        module: String,
        /// The version that it runs.
        version: String,
    },
    /// Publish `{"id":"…","params":{"step":"…","desc":…,"module":…}}` to `/ota/device/progress/{pk}/{dn}`.
    Progress {
        /// The module.
        module: String,
        /// 1 to 100 percent, or a [`Reason`]'s step.
        step: i8,
        /// What there is to say of it; for people.
        desc: String,
    },
    /// Call `thing.ota.firmware.get` with `{"module":…}`, and hand the answer to [`Updates::offered`](super::Updates::offered).
    Query {
        /// The module.
        module: String,
    },
    /// Get bytes of the image. It takes the place of every fetch before it: end those.
    Fetch(Fetch),
    /// The image is handed over: start the module anew, when that is convenient. Said once; a restart for any other reason is as
    /// good.
    Restart {
        /// The module.
        module: String,
        /// The version that it will run.
        version: String,
    },
}
