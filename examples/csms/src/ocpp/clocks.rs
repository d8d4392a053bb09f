//! Clocks of charge points that are ahead. That one is behind cannot be told from a message that has waited; a message from
//! the future can only come from a clock that is wrong.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::store::transactions::order::TOLERANCE;

/// How many messages in a row make a lead a steady one.
const STEADY: u32 = 3;

/// By how much the clocks of connected charge points are ahead.
#[derive(Debug, Default)]
pub struct Clocks(Mutex<HashMap<Box<str>, Lead>>);

/// Of one clock.
#[derive(Debug, Clone, Copy)]
struct Lead {
    millis: i64,
    messages: u32,
}

impl Clocks {
    fn with<T>(&self, access: impl FnOnce(&mut HashMap<Box<str>, Lead>) -> T) -> T {
        access(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A message of that time, by the charge point's clock, has come now.
    pub fn note(&self, identity: &str, at: i64, now: i64) {
        let millis = at.saturating_sub(now);
        self.with(|leads| {
            if millis <= TOLERANCE {
                // One that has waited says nothing.
                if millis >= -TOLERANCE {
                    leads.remove(identity);
                }
                return;
            }
            let lead = leads.entry(identity.into()).or_insert(Lead { millis, messages: 0 });
            if lead.millis.abs_diff(millis) > TOLERANCE.unsigned_abs() {
                *lead = Lead { millis, messages: 0 };
            }
            // On its way a message loses time, and never gains any.
            lead.millis = lead.millis.max(millis);
            lead.messages = lead.messages.saturating_add(1);
        });
    }

    /// By how many milliseconds it is ahead, steadily; `None` if it is not, as far as that is known.
    pub fn lead(&self, identity: &str) -> Option<i64> {
        self.with(|leads| leads.get(identity).filter(|lead| lead.messages >= STEADY).map(|lead| lead.millis))
    }

    /// It has gone.
    pub fn forget(&self, identity: &str) {
        self.with(|leads| leads.remove(identity));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_lead_is_one_of_several_messages() {
        let clocks = Clocks::default();
        let hours = 2 * 3_600_000;
        clocks.note("A", hours, 0);
        clocks.note("A", hours + 5_000 - 700, 5_000);
        assert_eq!(clocks.lead("A"), None);
        // One that has waited for ten minutes, or for two hours and ten.
        clocks.note("A", hours - 600_000, 6_000);
        assert_eq!(clocks.lead("A"), None);
        for seconds in [7, 8, 9] {
            clocks.note("A", hours + seconds * 1000, seconds * 1000);
        }
        clocks.note("A", -600_000, 10_000);
        assert_eq!((clocks.lead("A"), clocks.lead("B")), (Some(hours), None));
        clocks.note("A", 11_000, 11_500);
        assert_eq!(clocks.lead("A"), None);
    }
}
