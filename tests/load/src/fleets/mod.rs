//! Fleets in processes of their own, since a process may have no more connections than files.
//!
//! [`Fleets`] is the side that gives the orders, [`worker`] the one that carries them out, one at a time.

mod orders;
pub(crate) mod worker;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;
use std::{env, iter};

use anyhow::{Context, Result, anyhow, bail};

pub(crate) use self::orders::State;
use self::orders::{Order, Report};
use crate::arguments::Arguments;
use crate::fleet::BackOff;

/// Reports that are not looked at yet.
const REPORTS: usize = 1024;

/// A fleet for each server.
pub(crate) struct Fleets {
    workers: Vec<Worker>,
    reports: Receiver<(usize, Result<Report>)>,
}

struct Worker {
    child: Child,
    orders: ChildStdin,
    /// How many of its charge points are connected and have booted, as far as it has told.
    ready: usize,
    /// What became of its last order; none while it is busy.
    done: Option<State>,
}

impl Fleets {
    /// Starts a process for each of the servers. None of them will have more than `most` charge points.
    pub(crate) fn start<'a>(
        urls: impl IntoIterator<Item = &'a str>,
        most: usize,
        arguments: &Arguments,
    ) -> Result<Self> {
        let (sender, reports) = sync_channel(REPORTS);
        let workers = urls.into_iter().enumerate().map(|(index, url)| {
            let (worker, output) = Worker::start(url, index * most, arguments)?;
            let sender = sender.clone();
            thread::spawn(move || pass_on(index, output, &sender));
            Ok(worker)
        });
        Ok(Self { workers: workers.collect::<Result<_>>()?, reports })
    }

    /// Connects further charge points, until there are `count`, the same number in each fleet as far as that goes.
    pub(crate) fn open(&mut self, count: usize) -> Result<State> {
        let fleets = self.workers.len();
        self.order(|index| Order::Open { count: share(count, fleets, index) })?;
        self.wait()
    }

    /// Lets each charge point send one Heartbeat in each `interval`, those of a fleet spread evenly over it.
    pub(crate) fn pace(&mut self, interval: Duration, time: Duration) -> Result<State> {
        self.order(|_| Order::Pace { interval, time })?;
        self.wait()
    }

    /// Lets charge points that lose their connection make a new one. They are left to do so:
    /// [`ready`](Self::ready) tells how far they are, and [`wait`](Self::wait) ends when all are back.
    pub(crate) fn reconnect(&mut self, back_off: BackOff) -> Result<()> {
        self.order(|_| Order::Reconnect { back_off })
    }

    /// How many were ready at the last report; waits for one, `wait` at most.
    pub(crate) fn ready(&mut self, wait: Duration) -> Result<usize> {
        self.look(wait)?;
        Ok(self.workers.iter().map(|worker| worker.ready).sum())
    }

    /// Waits until all have carried out their order.
    pub(crate) fn wait(&mut self) -> Result<State> {
        while self.workers.iter().any(|worker| worker.done.is_none()) {
            self.look(Duration::MAX)?;
        }
        let mut all = State::default();
        self.workers.iter_mut().filter_map(|worker| worker.done.take()).for_each(|state| all.add(state));
        Ok(all)
    }

    fn order(&mut self, order: impl Fn(usize) -> Order) -> Result<()> {
        for (index, worker) in self.workers.iter_mut().enumerate() {
            worker.done = None;
            let line = serde_json::to_string(&order(index))? + "\n";
            worker.orders.write_all(line.as_bytes()).context("giving an order")?;
        }
        Ok(())
    }

    /// Waits for a report and takes in what else is there.
    fn look(&mut self, wait: Duration) -> Result<()> {
        let first = match self.reports.recv_timeout(wait) {
            Ok(report) => report,
            Err(RecvTimeoutError::Timeout) => return Ok(()),
            Err(RecvTimeoutError::Disconnected) => bail!("all processes of charge points have ended"),
        };
        for (index, report) in iter::once(first).chain(self.reports.try_iter()) {
            let Some(worker) = self.workers.get_mut(index) else { continue };
            match report? {
                Report::Ready(ready) => worker.ready = ready,
                Report::Done(state) => {
                    worker.ready = state.ready;
                    worker.done = Some(*state);
                }
            }
        }
        Ok(())
    }
}

impl Worker {
    fn start(url: &str, first: usize, arguments: &Arguments) -> Result<(Self, ChildStdout)> {
        let mut command = Command::new(env::current_exe().context("asking for this program's path")?);
        command.args(["--url", url, "--identity", &arguments.identity, "--worker", &first.to_string()]);
        for source in &arguments.sources {
            command.args(["--source", &source.to_string()]);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("starting a fleet")?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (orders, output) = pipes.context("a fleet without pipes")?;
        Ok((Self { child, orders, ready: 0, done: None }, output))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many of `count` are those of the fleet with this index, so that no two shares differ by more than one.
fn share(count: usize, fleets: usize, index: usize) -> usize {
    count / fleets + usize::from(index < count % fleets)
}

/// Ends with the fleet, or when nobody wants its reports any more.
fn pass_on(index: usize, output: ChildStdout, reports: &SyncSender<(usize, Result<Report>)>) {
    let lines = BufReader::new(output).lines();
    let read = lines.map(|line| serde_json::from_str(&line?).context("reading a report"));
    let end = iter::once_with(|| Err(anyhow!("a process of charge points has ended")));
    for report in read.chain(end) {
        if reports.send((index, report)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_make_the_whole() {
        for count in [3, 4, 100_000] {
            let shares: Vec<usize> = (0..3).map(|index| share(count, 3, index)).collect();
            assert_eq!(shares.iter().sum::<usize>(), count);
            assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1, "{shares:?}");
        }
    }
}
