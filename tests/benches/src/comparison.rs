//! One message and one operation, done by several contenders.

use std::io;
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
    pub name: String,
    time: Box<dyn FnMut(u32) -> io::Result<f64>>,
}

impl Contender {
    /// `run` does the work for one message.
    pub fn new(name: impl Into<String>, mut run: impl FnMut() + 'static) -> Self {
        Self::elsewhere(name, move |times| {
            let start = Instant::now();
            for _ in 0..times {
                run();
            }
            Ok(start.elapsed().as_secs_f64() * 1e9)
        })
    }

    /// Work of another process: `time` has it done so many times, and returns the nanoseconds that all of them took.
    pub fn elsewhere(name: impl Into<String>, time: impl FnMut(u32) -> io::Result<f64> + 'static) -> Self {
        Self { name: name.into(), time: Box::new(time) }
    }

    /// Does the work `times` times, and returns the nanoseconds that one took.
    ///
    /// # Errors
    /// If another process that does it has ended.
    pub fn time(&mut self, times: u32) -> io::Result<f64> {
        Ok((self.time)(times)? / f64::from(times))
    }
}
