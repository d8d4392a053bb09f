//! A map of what strangers say, which forgets.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// How many keys are kept; then the older half is forgotten.
pub(super) const KEYS: usize = 65_536;

/// The longest key that is kept as it is, in bytes.
pub(super) const LONGEST_KEY: usize = 128;

/// Two generations, so that to forget is cheap whoever fills them.
#[derive(Debug)]
pub(super) struct Generations<T> {
    young: HashMap<Box<str>, T>,
    old: HashMap<Box<str>, T>,
}

impl<T> Default for Generations<T> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<T> Generations<T> {
    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut T> {
        if self.young.contains_key(key) { self.young.get_mut(key) } else { self.old.get_mut(key) }
    }

    /// The value of that key, which is put there if there is none.
    pub(super) fn get_or_put(&mut self, key: &str, make: impl FnOnce() -> T) -> &mut T {
        let old = self.old.remove(key);
        self.make_room(key);
        self.young.entry(key.into()).or_insert_with(|| old.unwrap_or_else(make))
    }

    pub(super) fn put(&mut self, key: &str, value: T) {
        self.make_room(key);
        self.young.insert(key.into(), value);
    }

    fn make_room(&mut self, key: &str) {
        if self.young.len() >= KEYS / 2 && !self.young.contains_key(key) {
            self.old = std::mem::take(&mut self.young);
        }
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.young.remove(key);
        self.old.remove(key);
    }

    #[cfg(test)]
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.young.keys().chain(self.old.keys()).map(|key| &**key)
    }
}

/// The key as it is kept.
pub(super) fn short(key: &str) -> Cow<'_, str> {
    match key.len() <= LONGEST_KEY {
        true => Cow::Borrowed(key),
        false => Cow::Owned(format!("{:x}", BuildHasherDefault::<DefaultHasher>::default().hash_one(key))),
    }
}
