//! Two sides in one thread, and a wire that delivers at once.

use std::cell::RefCell;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use onwire::session::Config;
use onwire::{Connection, Instant, Router};

/// Both sides of one connection, and a wire that delivers at once.
pub struct Wire {
    /// The device's side.
    pub device: Connection,
    /// The platform's side.
    pub platform: Connection,
    /// All messages, in order.
    pub seen: RefCell<Vec<String>>,
}

impl Wire {
    /// A wire between two sides, which are named by their handlers.
    pub fn between<D: Router, P: Router>() -> Self {
        Self {
            device: Connection::new("platform", D::DIALECT, Config::default()),
            platform: Connection::new("device", P::DIALECT, Config::default()),
            seen: RefCell::default(),
        }
    }

    /// Runs both sides until nothing moves any more; `work` has come to its end by then.
    pub fn run<T>(&self, device: &impl Router, platform: &impl Router, work: impl Future<Output = T>) -> T {
        let mut sides: [Pin<Box<dyn Future<Output = ()> + '_>>; 2] =
            [Box::pin(self.device.serve(device)), Box::pin(self.platform.serve(platform))];
        let (mut work, mut context) = (pin!(work), Context::from_waker(Waker::noop()));
        let mut result = None;
        loop {
            if result.is_none()
                && let Poll::Ready(done) = work.as_mut().poll(&mut context)
            {
                result = Some(done);
            }
            for side in &mut sides {
                assert_eq!(side.as_mut().poll(&mut context), Poll::Pending);
            }
            let now = Instant::default();
            let up = self.device.poll_transmit(now).inspect(|frame| drop(self.platform.receive(frame, now)));
            let down = self.platform.poll_transmit(now).inspect(|frame| drop(self.device.receive(frame, now)));
            let moved = up.is_some() || down.is_some();
            self.seen.borrow_mut().extend(up.into_iter().chain(down));
            if !moved {
                return result.expect("the work has ended");
            }
        }
    }
}
