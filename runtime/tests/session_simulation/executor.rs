//! Runs futures in simulated time: a task is polled when it was woken and not otherwise, so that a lost wake-up shows.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use onwire::Instant;

#[derive(Clone, Default)]
pub(crate) struct Time {
    now: Rc<Cell<u64>>,
    sleepers: Rc<RefCell<Vec<(u64, Waker)>>>,
}

impl Time {
    pub(crate) fn now(&self) -> Instant {
        Instant::from_millis(self.now.get())
    }

    pub(crate) async fn sleep_until(&self, at: u64) {
        let mut sleeps = false;
        poll_fn(|context| {
            if self.now.get() >= at {
                return Poll::Ready(());
            }
            if !sleeps {
                sleeps = true;
                self.sleepers.borrow_mut().push((at, context.waker().clone()));
            }
            Poll::Pending
        })
        .await;
    }

    pub(crate) async fn sleep(&self, milliseconds: u64) {
        self.sleep_until(self.now.get() + milliseconds).await;
    }

    /// Goes on to when the next sleeper wakes; `false` if all are awake.
    fn advance(&self) -> bool {
        let mut sleepers = self.sleepers.borrow_mut();
        let Some(next) = sleepers.iter().map(|(at, _)| *at).min() else { return false };
        self.now.set(next.max(self.now.get()));
        let (due, later) = sleepers.drain(..).partition(|(at, _)| *at <= next);
        *sleepers = later;
        drop(sleepers);
        let due: Vec<(u64, Waker)> = due;
        due.into_iter().for_each(|(_, waker)| waker.wake());
        true
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Task {
    name: &'static str,
    woken: Arc<Flag>,
    future: Pin<Box<dyn Future<Output = ()>>>,
}

#[derive(Default)]
pub(crate) struct Executor {
    pub(crate) time: Time,
    /// Whether everybody is asked, before time goes on, if there is something to do after all.
    pub(crate) doubts: bool,
    tasks: Vec<Task>,
}

impl Executor {
    pub(crate) fn spawn(&mut self, name: &'static str, future: impl Future<Output = ()> + 'static) {
        self.tasks.push(Task { name, woken: Arc::new(Flag(AtomicBool::new(true))), future: Box::pin(future) });
    }

    /// Runs until nobody is woken and nobody sleeps.
    pub(crate) fn run(&mut self) {
        let mut turns = 0;
        loop {
            let mut progress = false;
            self.tasks.retain_mut(|task| {
                if !task.woken.0.swap(false, Ordering::Relaxed) {
                    return true;
                }
                progress = true;
                let waker = Waker::from(task.woken.clone());
                task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
            });
            turns += 1;
            assert!(turns < 50_000, "it never comes to rest");
            if progress {
                continue;
            }
            if self.doubts {
                self.look_for_lost_wakeups();
            }
            if !self.time.advance() {
                return;
            }
        }
    }

    /// Nobody was woken, so that nobody may find anything to do.
    fn look_for_lost_wakeups(&mut self) {
        for task in &mut self.tasks {
            let waker = Waker::from(task.woken.clone());
            let pending = task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending();
            assert!(pending, "nobody woke {}", task.name);
        }
        let woken = self.tasks.iter().find(|task| task.woken.0.load(Ordering::Relaxed));
        assert!(woken.is_none(), "somebody woke {} only when asked", woken.map_or("", |task| task.name));
    }

    /// Names of the tasks that are not done.
    pub(crate) fn pending(&self) -> Vec<&'static str> {
        self.tasks.iter().map(|task| task.name).collect()
    }
}
