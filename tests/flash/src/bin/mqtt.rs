//! An MQTT 3.1.1 client as a value: what a device with any protocol over MQTT has to hold.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::panic::PanicInfo;

// Its critical section is linked by name.
use cortex_m as _;
use cortex_m_rt::entry;
use embedded_alloc::LlffHeap;
use onwire::Instant;
use onwire::mqtt::{Connect, Limits, Link, QoS};

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

#[entry]
fn main() -> ! {
    // SAFETY: once, before anything is allocated.
    unsafe {
        embedded_alloc::init!(HEAP, 65_536);
    }
    let now = Instant::from_millis(black_box(0));
    let mut link = Link::client(Limits::default());
    black_box(link.connect(&Connect::new(black_box("device")), now).is_ok());
    loop {
        black_box(link.receive(black_box(&[0; 64]), now).is_ok());
        black_box(link.poll_packet());
        black_box(link.subscribe(&[(black_box("topic/#"), QoS::AtLeastOnce)], now).is_ok());
        black_box(link.publish(black_box("topic"), black_box(b"payload"), QoS::AtLeastOnce, now).is_ok());
        black_box(link.poll_transmit());
        black_box(link.handle_timeout(now).is_ok());
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
