//! One value, several handles: the lock behind [`Peer`](crate::Peer).
//!
//! With `std` it is `Arc<Mutex<_>>` and handles are `Send + Sync`. Without it, it is `Rc<RefCell<_>>`: a device drives
//! its connection from one executor, and `riscv32imc` has no atomics to build an `Arc` from. Code sees no difference,
//! because access goes through [`Shared::with`] only; the closures are this crate's own and wake nobody.

#[cfg(not(feature = "std"))]
use alloc::rc::Rc;
#[cfg(not(feature = "std"))]
use core::cell::RefCell;
#[cfg(feature = "std")]
use std::sync::{Arc, Mutex, PoisonError};

#[cfg(feature = "std")]
pub(crate) struct Shared<T>(Arc<Mutex<T>>);
#[cfg(not(feature = "std"))]
pub(crate) struct Shared<T>(Rc<RefCell<T>>);

impl<T> Shared<T> {
    #[cfg(feature = "std")]
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(value)))
    }

    #[cfg(not(feature = "std"))]
    pub(crate) fn new(value: T) -> Self {
        Self(Rc::new(RefCell::new(value)))
    }

    #[cfg(feature = "std")]
    pub(crate) fn with<R>(&self, access: impl FnOnce(&mut T) -> R) -> R {
        // A panic between two statements of the session cannot leave it worse than a lost message does.
        access(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[cfg(not(feature = "std"))]
    pub(crate) fn with<R>(&self, access: impl FnOnce(&mut T) -> R) -> R {
        access(&mut self.0.borrow_mut())
    }

    #[cfg(feature = "std")]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    #[cfg(not(feature = "std"))]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
