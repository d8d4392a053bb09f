//! From what C hands in to references.

use core::mem::MaybeUninit;
use core::slice;

use crate::session::Session;
use crate::{INVALID_ARGUMENT, NOT_UTF8, Status, Text};

/// The session, for one function.
///
/// # Safety
/// `session` is null or a session that nobody else uses during `'a`.
pub(crate) unsafe fn exclusive<'a>(session: *mut Session) -> Option<&'a mut Session> {
    // SAFETY: not null means that `Box::into_raw` gave it; the rest is the caller's promise.
    unsafe { session.as_mut() }
}

/// What C only lends.
///
/// # Safety
/// `place` is null, or valid and aligned, and nobody writes to it during `'a`.
pub(crate) unsafe fn shared<'a, T>(place: *const T) -> Option<&'a T> {
    // SAFETY: the caller's promise.
    unsafe { place.as_ref() }
}

/// Where C wants something written; it need not be initialized.
///
/// # Safety
/// `place` is null, or valid and aligned, and nobody else uses it during `'a`.
pub(crate) unsafe fn out<'a, T>(place: *mut T) -> Option<&'a mut MaybeUninit<T>> {
    // SAFETY: the caller's promise; memory that is not initialized may be a `MaybeUninit`.
    unsafe { place.cast::<MaybeUninit<T>>().as_mut() }
}

/// The text, if it is UTF-8.
///
/// # Safety
/// `text.data` is null, or points to `text.length` bytes that nobody writes to during `'a`.
pub(crate) unsafe fn text<'a>(text: Text) -> Result<&'a str, Status> {
    if text.length == 0 {
        return Ok("");
    }
    if text.data.is_null() || isize::try_from(text.length).is_err() {
        return Err(INVALID_ARGUMENT);
    }
    // SAFETY: the pointer is not null and the length no more than memory can have; the rest is the caller's promise.
    let bytes = unsafe { slice::from_raw_parts(text.data, text.length) };
    str::from_utf8(bytes).map_err(|_| NOT_UTF8)
}
