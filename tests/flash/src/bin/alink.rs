//! A device that speaks Alink: MQTT, the login's signature, session, typed handlers and posts of a smart socket.

#![no_std]
#![no_main]

use core::future::Future;
use core::hint::black_box;
use core::panic::PanicInfo;
use core::pin::pin;
use core::task::{Context, Waker};

// Its critical section is linked by name.
use cortex_m as _;
use cortex_m_rt::entry;
use embedded_alloc::LlffHeap;
use onwire::alink::{Channel, DeviceRef, Incoming, Login, LoginOptions, Secret};
use onwire::mqtt::{Connect, Limits};
use onwire::session::Config;
use onwire::{Connection, Instant, Router};

/// The thing model.
#[allow(dead_code, unreachable_pub, clippy::all, reason = "generated: both sides, of which this is one")]
mod socket {
    onwire::include_protocol!("socket");
}
use socket::*;

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

struct Socket;

#[onwire::handlers(crate::socket, role = Device, local)]
impl Socket {
    #[on(PropertySet)]
    fn set(&self, wanted: Properties) {
        black_box(wanted);
    }
}

#[entry]
fn main() -> ! {
    // SAFETY: once, before anything is allocated.
    unsafe {
        embedded_alloc::init!(HEAP, 65_536);
    }
    let now = Instant::from_millis(black_box(0));
    let device = DeviceRef { product_key: black_box("a1"), device_name: black_box("d") };
    let login = Login::with_secret(device, &Secret::from(black_box("secret")), &LoginOptions::default());
    let mut channel = Channel::device(device, Limits::default());
    if let Ok(login) = login {
        black_box(channel.link_mut().connect(&Connect::from(login), now).is_ok());
    }
    let connection = Connection::new("platform", Socket::DIALECT, Config::default());
    let mut handlers = pin!(connection.serve(&Socket));
    let mut context = Context::from_waker(Waker::noop());
    loop {
        black_box(channel.receive(black_box(&[0; 64]), now).is_ok());
        while let Some(incoming) = channel.poll() {
            if let Incoming::Frame { text, receipt } = incoming {
                connection.receive_as(&text, receipt, now);
            }
        }
        let mut post = pin!(connection.peer().call(black_box(Properties::default()).at(black_box(NOW))));
        black_box(post.as_mut().poll(&mut context).is_ready());
        black_box(handlers.as_mut().poll(&mut context).is_ready());
        while let Some((frame, answers)) = connection.poll_transmit_for(now) {
            black_box(channel.send(&frame, answers, now).is_ok());
        }
        while let Some(done) = connection.poll_receipt() {
            channel.done(done);
        }
        black_box(channel.link_mut().poll_transmit());
        black_box(channel.link_mut().handle_timeout(now).is_ok());
        connection.handle_timeout(now);
    }
}

const NOW: onwire::types::DateTime = onwire::types::DateTime::from_unix_millis(0);

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
