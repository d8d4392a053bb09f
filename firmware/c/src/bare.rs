//! What a library without the standard library asks of the firmware: memory, and an end after a panic.

use alloc::alloc::{GlobalAlloc, Layout};
use core::ffi::c_void;
use core::fmt::Write;
use core::panic::PanicInfo;

use crate::Text;

unsafe extern "C" {
    fn onwire_allocate(size: usize, alignment: usize) -> *mut c_void;
    fn onwire_release(memory: *mut c_void, size: usize, alignment: usize);
    fn onwire_panic(message: Text);
}

struct Firmware;

// SAFETY: the header asks of the firmware what `GlobalAlloc` asks: memory of that size and alignment, or null.
unsafe impl GlobalAlloc for Firmware {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: it takes any size and any alignment.
        unsafe { onwire_allocate(layout.size(), layout.align()) }.cast()
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller promises that `alloc` gave it with that layout.
        unsafe { onwire_release(memory.cast(), layout.size(), layout.align()) }
    }
}

#[global_allocator]
static MEMORY: Firmware = Firmware;

/// A message that is cut where its memory ends: a panic may mean that there is no more.
struct Message {
    bytes: [u8; 160],
    length: usize,
}

impl Write for Message {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let room = self.bytes.get_mut(self.length..).unwrap_or_default();
        for (place, byte) in room.iter_mut().zip(text.bytes()) {
            *place = byte;
            self.length += 1;
        }
        Ok(())
    }
}

#[panic_handler]
fn panicked(information: &PanicInfo<'_>) -> ! {
    let mut message = Message { bytes: [0; 160], length: 0 };
    // It never fails.
    let _ = write!(message, "{information}");
    let bytes = message.bytes.get(..message.length).unwrap_or_default();
    // Cut between two bytes of a character there is no UTF-8; what stands before is.
    let text = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    // SAFETY: a valid text; and nothing of Rust runs after it.
    unsafe { onwire_panic(text.into()) }
    loop {
        core::hint::spin_loop();
    }
}
