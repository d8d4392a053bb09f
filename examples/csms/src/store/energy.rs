//! The energy of a transaction out of its registers: one algorithm for what runs, what was stopped, and what had to be
//! estimated.
//!
//! The registers are walked in the order in which they were received; the pile's clock does not tell which one is newer.
//!
//! 1. A register that is negative, or more than 100 MWh above the one before it, is ignored, wherever it stands.
//! 2. A fall of at most 10 Wh, or of one digit of the coarser of the two numbers, is rounding. It begins nothing new.
//! 3. A larger fall shows that the meter has begun anew: only differences within a segment count, each segment from its
//!    first register to its last one, and none counts below 0.
//! 4. What was walked already is no fall: a register that lies within a segment by its value *and* by the pile's own clock
//!    is one that was sent again, or late.
//! 5. Registers that begin below the start although none at or above it was seen count from the beginning of the session
//!    ([`Mark::SessionRegisters`]). As soon as one fits the start better than the session, the start's meter counts again.
//! 6. One register proves 0 Wh, none proves nothing.
//!
//! What is kept of a walk is bounded: 8 segments. A stop is not part of it: a later one may put it right.

use serde::{Deserialize, Serialize};

use super::marks::{Mark, Marks};

/// A fall of so many Wh is rounding, whatever the resolution.
const ROUNDING: i64 = 10;

/// Wh that nothing takes between two registers: a number is wrong (all bits set, another unit).
const LEAP: i64 = 100_000_000;

/// How many segments are kept apart; the energy of older ones is kept as a sum.
const SEGMENTS: usize = 8;

/// An energy register as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// In Wh, without fractions.
    pub wh: i64,
    /// What one digit of the number as it was printed is worth, in Wh, 1 at least.
    pub step: i64,
    /// By the pile's clock.
    pub at: i64,
}

impl Reading {
    /// One in whole Wh.
    pub fn whole(wh: i64, at: i64) -> Self {
        Self { wh, step: 1, at }
    }
}

/// Where an amount of energy comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
pub enum Origin {
    /// The charge point's own two numbers: meterStop less meterStart.
    Reported,
    /// The registers in between; one of the two numbers is missing, or says something else.
    FromRegisters,
    /// The stop is the server's or an operator's.
    Estimated,
}

impl Origin {
    /// As the database and the API have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::FromRegisters => "fromRegisters",
            Self::Estimated => "estimated",
        }
    }
}

/// What a stop makes of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// In Wh; `None` if nothing is proved.
    pub energy: Option<i64>,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether the stop's register counts.
    pub is_taken: bool,
}

/// What the registers of a transaction have shown so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// meterStart, if it is possible.
    start: Option<i64>,
    /// Whether a register that continues the start was seen.
    continued: bool,
    /// The meter of the start.
    meter: Track,
    /// What counts from the beginning of the session.
    session: Track,
}

impl Walk {
    /// With meterStart alone.
    pub fn begin(start: Reading, marks: &mut Marks) -> Self {
        if start.wh < 0 {
            marks.set(Mark::StartMeterIgnored);
            return Self::default();
        }
        Self { start: Some(start.wh), meter: Track::from(start), ..Self::default() }
    }

    /// Takes a register; whether it is the newest one that counts.
    pub fn take(&mut self, reading: Reading, marks: &mut Marks) -> bool {
        let begins_session = !self.continued && self.session.is_empty() && self.is_below_start(reading);
        if reading.wh >= 0 && begins_session {
            marks.set(Mark::SessionRegisters);
            self.session = Track::from(Reading { wh: 0, ..reading });
        }
        let added = self.add(reading, true);
        match added {
            Added::Rose => {}
            Added::Rounded => marks.set(Mark::Rounded),
            Added::Fell => marks.set(Mark::RegisterFell),
            Added::Known => marks.set(Mark::LateRegisters),
            Added::Impossible => marks.set(Mark::RegisterIgnored),
        }
        added.counts()
    }

    /// With a stop at that register, which is the last one, whatever the clock says.
    pub fn stop(&self, stop: Reading, marks: &mut Marks) -> Stopped {
        let mut walk = self.clone();
        let added = walk.add(stop, false);
        match added {
            Added::Rose | Added::Known => {}
            Added::Rounded => marks.set(Mark::Rounded),
            Added::Fell => marks.set(Mark::RegisterFell),
            Added::Impossible => marks.set(Mark::StopMeterIgnored),
        }
        let is_simple = walk.start.is_some() && !walk.is_of_session() && walk.meter.is_one_segment();
        let is_taken = added.counts();
        let origin = if is_taken && is_simple { Origin::Reported } else { Origin::FromRegisters };
        Stopped { energy: walk.energy(), origin, is_taken }
    }

    /// In Wh; `None` if nothing is proved.
    pub fn energy(&self) -> Option<i64> {
        if self.is_of_session() { self.session.energy() } else { self.meter.energy() }
    }

    /// Where the meter of the start would stand now, as far as that can be told.
    pub fn meter(&self) -> Option<i64> {
        let session = || self.start.zip(self.session.energy()).map(|(start, energy)| start.saturating_add(energy));
        if self.is_of_session() { session() } else { self.meter.last() }
    }

    fn is_of_session(&self) -> bool {
        !self.continued && !self.session.is_empty()
    }

    fn is_below_start(&self, reading: Reading) -> bool {
        self.start.is_some_and(|start| start.saturating_sub(reading.wh) > ROUNDING.max(reading.step))
    }

    fn add(&mut self, reading: Reading, may_be_known: bool) -> Added {
        if reading.wh < 0 {
            return Added::Impossible;
        }
        if !self.session.is_empty() && !self.fits_start(reading) {
            return self.session.add(reading, may_be_known);
        }
        let added = self.meter.add(reading, may_be_known);
        self.continued |= added.counts();
        added
    }

    /// Whether a register continues the start, although others have counted from the beginning of the session.
    fn fits_start(&self, reading: Reading) -> bool {
        if self.is_below_start(reading) {
            return false;
        }
        // Which of the two says what is nearer to what was delivered so far?
        let so_far = self.session.energy().unwrap_or(0);
        let by_start = reading.wh.saturating_sub(self.start.unwrap_or(0));
        self.continued || by_start.abs_diff(so_far) <= reading.wh.abs_diff(so_far)
    }
}

/// What became of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Added {
    /// It continues its segment.
    Rose,
    /// The same, but for rounding.
    Rounded,
    /// It begins a segment.
    Fell,
    /// It was walked before.
    Known,
    /// It is ignored.
    Impossible,
}

impl Added {
    fn counts(self) -> bool {
        matches!(self, Self::Rose | Self::Rounded | Self::Fell)
    }
}

/// The registers of one meter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Track {
    /// Energy of segments that are not kept any more.
    before: i64,
    segments: Vec<Segment>,
}

impl From<Reading> for Track {
    fn from(first: Reading) -> Self {
        Self { before: 0, segments: vec![Segment::from(first)] }
    }
}

impl Track {
    fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    fn is_one_segment(&self) -> bool {
        self.segments.len() == 1 && self.before == 0
    }

    fn last(&self) -> Option<i64> {
        self.segments.last().map(|segment| segment.last)
    }

    fn energy(&self) -> Option<i64> {
        let sum = |sum: i64, segment: &Segment| sum.saturating_add(segment.energy());
        (!self.is_empty()).then(|| self.segments.iter().fold(self.before, sum))
    }

    fn add(&mut self, reading: Reading, may_be_known: bool) -> Added {
        let Some((current, older)) = self.segments.split_last_mut() else {
            self.segments.push(reading.into());
            return Added::Rose;
        };
        if may_be_known && older.iter().any(|segment| segment.holds(reading)) {
            return Added::Known;
        }
        if reading.wh.saturating_sub(current.top) > LEAP {
            return Added::Impossible;
        }
        let fall = current.top.saturating_sub(reading.wh);
        if fall <= 0 {
            current.top = reading.wh;
            current.step = reading.step;
            current.go_on(reading);
            return Added::Rose;
        }
        if fall <= ROUNDING.max(current.step).max(reading.step) {
            current.go_on(reading);
            return Added::Rounded;
        }
        if may_be_known && current.holds(reading) {
            return Added::Known;
        }
        self.segments.push(reading.into());
        if self.segments.len() > SEGMENTS {
            let oldest = self.segments.remove(0);
            self.before = self.before.saturating_add(oldest.energy());
        }
        Added::Fell
    }
}

/// Registers between two falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Segment {
    first: i64,
    last: i64,
    top: i64,
    /// Of the top.
    step: i64,
    /// The earliest and the latest time, by the pile's clock.
    since: i64,
    until: i64,
}

impl From<Reading> for Segment {
    fn from(Reading { wh, step, at }: Reading) -> Self {
        Self { first: wh, last: wh, top: wh, step, since: at, until: at }
    }
}

impl Segment {
    fn energy(&self) -> i64 {
        self.last.saturating_sub(self.first).max(0)
    }

    fn holds(&self, reading: Reading) -> bool {
        let low = self.first.saturating_sub(ROUNDING.max(reading.step));
        (low..=self.top).contains(&reading.wh) && (self.since..=self.until).contains(&reading.at)
    }

    fn go_on(&mut self, reading: Reading) {
        self.last = reading.wh;
        self.since = self.since.min(reading.at);
        self.until = self.until.max(reading.at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Registers a minute apart: the energy while it runs.
    fn walked(start: i64, registers: &[(i64, i64)]) -> (Walk, Marks) {
        let mut marks = Marks::default();
        let mut walk = Walk::begin(Reading::whole(start, 0), &mut marks);
        for (minute, (wh, step)) in (1..).zip(registers) {
            walk.take(Reading { wh: *wh, step: *step, at: minute * 60_000 }, &mut marks);
        }
        (walk, marks)
    }

    fn whole(registers: &[i64]) -> Vec<(i64, i64)> {
        registers.iter().map(|wh| (*wh, 1)).collect()
    }

    #[test]
    fn samples_from_the_field() {
        use Mark::{RegisterFell, Rounded, SessionRegisters, StartMeterIgnored, StopMeterIgnored};
        use Origin::{FromRegisters, Reported};
        type Sample<'a> = (i64, &'a [(i64, i64)], i64, Option<i64>, Origin, &'a [Mark]);
        let samples: &[Sample<'_>] = &[
            (100, &[], 1600, Some(1500), Reported, &[]),
            (100, &whole(&[500, 900]), 1600, Some(1500), Reported, &[]),
            // 269.46 kWh on the way.
            (269_456, &[(269_460, 10)], 269_455, Some(0), Reported, &[Rounded]),
            // kWh without fractions: 269 is 269456, rounded down.
            (269_456, &[(269_000, 1000), (270_000, 1000)], 270_812, Some(1356), Reported, &[Rounded]),
            (1001, &whole(&[5000]), -1, Some(3999), FromRegisters, &[StopMeterIgnored]),
            (1001, &[], -1, Some(0), FromRegisters, &[StopMeterIgnored]),
            (1001, &whole(&[5000]), i64::from(u32::MAX), Some(3999), FromRegisters, &[StopMeterIgnored]),
            (10_000, &whole(&[15_000]), 1200, Some(5000), FromRegisters, &[RegisterFell]),
            (10_000, &whole(&[15_000, 200]), 1200, Some(6000), FromRegisters, &[RegisterFell]),
            (10_000, &[], 1200, Some(0), FromRegisters, &[RegisterFell]),
            // The session's own count, then the meter of the start; or the session's to the end.
            (4_076_334, &whole(&[104, 228, 353]), 4_076_690, Some(356), Reported, &[SessionRegisters]),
            (4_076_334, &whole(&[104, 228, 353]), 360, Some(360), FromRegisters, &[SessionRegisters]),
            (1000, &whole(&[104, 980, 1100]), 2100, Some(1100), Reported, &[SessionRegisters]),
            (-5, &whole(&[5000, 6000]), 6500, Some(1500), FromRegisters, &[StartMeterIgnored]),
            (-5, &[], -5, None, FromRegisters, &[StartMeterIgnored, StopMeterIgnored]),
            (
                i64::MIN,
                &whole(&[i64::MIN, i64::MAX]),
                i64::MAX,
                Some(0),
                FromRegisters,
                &[StartMeterIgnored, Mark::RegisterIgnored],
            ),
        ];
        for (start, registers, stop, energy, origin, expected) in samples {
            let (walk, mut marks) = walked(*start, registers);
            let stopped = walk.stop(Reading::whole(*stop, 3_600_000), &mut marks);
            let found = (stopped.energy, stopped.origin, marks);
            let all = Marks::from_iter(expected.iter().copied());
            assert_eq!(found, (*energy, *origin, all), "{start}, {registers:?}, {stop}");
        }
    }

    #[test]
    fn energy_while_it_runs() {
        for (start, registers, energy, meter) in [
            (1000, &[][..], Some(0), Some(1000)),
            // A fall at a time of its own.
            (1000, &[1300, 1250, 1500], Some(550), Some(1500)),
            (4_076_334, &[104, 228, 353], Some(353), Some(4_076_687)),
            (1000, &[104, 980, 1100], Some(1100), Some(2100)),
            (10_000, &[15_000, 200, 700], Some(5500), Some(700)),
            (-1, &[], None, None),
            (-1, &[7], Some(0), Some(7)),
        ] {
            let (walk, _) = walked(start, &whole(registers));
            assert_eq!((walk.energy(), walk.meter()), (energy, meter), "{start}, {registers:?}");
        }
    }

    #[test]
    fn what_is_sent_again_or_late_changes_nothing() {
        let registers = [(1, 10_400), (2, 15_000), (3, 200), (4, 1200)];
        let mut marks = Marks::default();
        let mut walk = Walk::begin(Reading::whole(10_000, 0), &mut marks);
        let mut energies = Vec::new();
        for _ in 0..3 {
            for (at, wh) in registers {
                walk.take(Reading::whole(wh, at), &mut marks);
                energies.push(walk.energy().unwrap());
            }
        }
        assert_eq!(energies, [400, 5000, 5000, 6000, 6000, 6000, 6000, 6000, 6000, 6000, 6000, 6000]);
        assert!(marks.has(Mark::LateRegisters));
        // Late, and never seen before: between two that were.
        assert!(!walk.take(Reading::whole(12_000, 1), &mut marks));
        assert_eq!(walk.energy(), Some(6000));
    }

    #[test]
    fn the_order_of_receipt_counts_and_not_the_clock() {
        // From two hours ahead back to the present; from 1970 to the present; back by some minutes at each register.
        for times in [[7200, 60, 120, 180], [0, 1_700_000_000, 1_700_000_060, 1_700_000_120], [9000, 8000, 7000, 6000]]
        {
            let mut marks = Marks::default();
            let mut walk = Walk::begin(Reading::whole(100, times[0]), &mut marks);
            for (at, wh) in times.into_iter().skip(1).zip([300, 600, 900]) {
                assert!(walk.take(Reading::whole(wh, at), &mut marks), "{times:?}");
            }
            assert_eq!((walk.energy(), marks), (Some(800), Marks::default()), "{times:?}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded_and_survives_being_kept() {
        let mut marks = Marks::default();
        let mut walk = Walk::begin(Reading::whole(0, 0), &mut marks);
        for round in 0..100 {
            for wh in [50, 1050] {
                walk.take(Reading::whole(wh, round * 10_000 + wh), &mut marks);
            }
        }
        // The first segment begins at 0.
        assert_eq!(walk.energy(), Some(50 + 100 * 1000));
        let text = serde_json::to_string(&walk).unwrap();
        assert!(text.len() < 1000, "{text}");
        assert_eq!(serde_json::from_str::<Walk>(&text).unwrap(), walk);
    }
}
