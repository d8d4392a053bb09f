//! A value of the file with the pointer to it, so that each error can say where.

use serde_json::Value;

use crate::error::Error;

/// A value and where it stands.
#[derive(Clone)]
pub(super) struct Node<'f> {
    file: &'f str,
    pointer: String,
    value: &'f Value,
}

impl<'f> Node<'f> {
    pub(super) fn root(file: &'f str, value: &'f Value) -> Self {
        Self { file, pointer: String::new(), value }
    }

    pub(super) fn value(&self) -> &'f Value {
        self.value
    }

    pub(super) fn error(&self, problem: impl Into<String>) -> Error {
        Error::Unsupported { file: self.file.to_owned(), pointer: self.pointer.clone(), problem: problem.into() }
    }

    fn step(&self, segment: &str, value: &'f Value) -> Self {
        let segment = segment.replace('~', "~0").replace('/', "~1");
        Self { file: self.file, pointer: format!("{}/{segment}", self.pointer), value }
    }

    /// The member of that name; exports write `null` for one that is absent.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.as_object()?.get(key)?;
        (!value.is_null()).then(|| self.step(key, value))
    }

    /// The member of that name, which has to be there.
    pub(super) fn need(&self, key: &str) -> Result<Self, Error> {
        self.get(key).ok_or_else(|| self.error(format!("{key:?} is missing")))
    }

    /// The members of an object, in the file's order.
    pub(super) fn members(&self) -> Result<Vec<(&'f str, Self)>, Error> {
        let object = self.value.as_object().ok_or_else(|| self.error("expected an object"))?;
        Ok(object.iter().map(|(key, value)| (key.as_str(), self.step(key, value))).collect())
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Result<Vec<Self>, Error> {
        let items = self.value.as_array().ok_or_else(|| self.error("expected a list"))?;
        Ok(items.iter().enumerate().map(|(index, value)| self.step(&index.to_string(), value)).collect())
    }

    /// The items of the member of that name; none if it is absent.
    pub(super) fn items_of(&self, key: &str) -> Result<Vec<Self>, Error> {
        self.get(key).map_or_else(|| Ok(Vec::new()), |list| list.items())
    }

    /// A string.
    pub(super) fn text(&self) -> Result<&'f str, Error> {
        self.value.as_str().ok_or_else(|| self.error("expected a string"))
    }

    /// Text for people; whatever else stands there is of no use.
    pub(super) fn prose(&self, key: &str) -> String {
        let text = self.value.as_object().and_then(|object| object.get(key)).and_then(Value::as_str);
        text.unwrap_or_default().trim().to_owned()
    }
}
