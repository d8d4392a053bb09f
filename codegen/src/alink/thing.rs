//! A thing model as it was read: every layout of the file has become one.

/// A product's features.
#[derive(Debug, Default)]
pub(super) struct Thing {
    pub(super) product_key: String,
    pub(super) properties: Vec<Member>,
    pub(super) events: Vec<Event>,
    pub(super) services: Vec<Service>,
}

/// A property, a parameter, or what a struct is made of.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) identifier: String,
    pub(super) doc: String,
    pub(super) optional: bool,
    pub(super) data: Data,
}

#[derive(Debug)]
pub(super) struct Event {
    /// With its module's name.
    pub(super) identifier: String,
    pub(super) doc: String,
    pub(super) method: String,
    /// `None`: the file does not say, so that anything may come.
    pub(super) output: Option<Vec<Member>>,
}

#[derive(Debug)]
pub(super) struct Service {
    /// With its module's name.
    pub(super) identifier: String,
    pub(super) doc: String,
    pub(super) method: String,
    /// Whether its caller waits for the output (`callType`).
    pub(super) is_sync: bool,
    pub(super) input: Vec<Member>,
    pub(super) output: Vec<Member>,
}

#[derive(Debug, Clone)]
pub(super) enum Data {
    Int {
        step: Option<i64>,
        min: i64,
        max: i64,
    },
    /// `float` and `double`; limits are decimal text.
    Float {
        step: Option<String>,
        min: Option<String>,
        max: Option<String>,
    },
    Text {
        max: Option<usize>,
    },
    Date,
    Bool,
    /// Numbers, and what they are called.
    Enum(Vec<(i64, String)>),
    Struct(Vec<Member>),
    Array {
        item: Box<Data>,
        max: Option<usize>,
    },
    /// The file does not say what is in it.
    Any,
}
