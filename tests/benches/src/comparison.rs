//! One message and one operation, done by several contenders.

use std::time::Instant;

/// Contenders that do the same work; the first is the one that the others are compared with.
pub struct Comparison {
    /// The message and the size of its payload.
    pub message: String,
    /// What is done with it.
    pub operation: &'static str,
    /// Who does it.
    pub contenders: Vec<Contender>,
}

/// One way to do the work.
pub struct Contender {
    /// Crate and function.
    pub name: &'static str,
    run: Box<dyn FnMut()>,
}

impl Contender {
    /// `run` does the work for one message.
    pub fn new(name: &'static str, run: impl FnMut() + 'static) -> Self {
        Self { name, run: Box::new(run) }
    }

    /// Does the work once.
    pub fn run(&mut self) {
        (self.run)();
    }

    /// Does the work `times` times, and returns the nanoseconds that one took.
    pub fn time(&mut self, times: u32) -> f64 {
        let start = Instant::now();
        for _ in 0..times {
            self.run();
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(times)
    }
}
