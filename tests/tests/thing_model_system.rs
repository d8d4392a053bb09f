//! One connection with two protocols: a thing model's, and the system's messages.

use std::cell::{Cell, RefCell};

use onwire::alink::system::{self, Config, ConfigPushRequest, Tag, TagsUpdateRequest, TopoGetRequest};
use onwire::{CallFailure, ErrorCode};
use onwire_tests::tracker::*;
use onwire_tests::wire::Wire;

/// What every device of the maker has.
#[derive(Default)]
struct DeviceSystem {
    configuration: RefCell<String>,
}

#[onwire::handlers(onwire::alink::system, role = Device, local)]
impl DeviceSystem {
    #[on(ConfigPush)]
    fn config(&self, config: Config) {
        *self.configuration.borrow_mut() = config.url.to_string();
    }
}

/// The tracker, and what every device has.
#[derive(Default)]
struct Tracker {
    system: DeviceSystem,
    was_set: Cell<bool>,
}

#[onwire::handlers(onwire_tests::tracker, role = Device, rest = self.system, local)]
impl Tracker {
    #[on(PropertySet)]
    fn set(&self, _wanted: Properties) {
        self.was_set.set(true);
    }
}

/// What the platform does for every product.
#[derive(Default)]
struct PlatformSystem {
    tags: RefCell<Vec<Tag>>,
}

#[onwire::handlers(onwire::alink::system, role = Platform, local)]
impl PlatformSystem {
    #[on(TagsUpdate)]
    fn tags(&self, req: TagsUpdateRequest) -> system::TagsUpdateResponse {
        *self.tags.borrow_mut() = req.tags;
        system::TagsUpdateResponse::new()
    }
}

/// The platform of trackers.
#[derive(Default)]
struct Platform {
    system: PlatformSystem,
    posts: Cell<u32>,
}

#[onwire::handlers(onwire_tests::tracker, role = Platform, rest = self.system, local)]
impl Platform {
    #[on(PropertyPost)]
    fn post(&self, _post: Properties) {
        self.posts.set(self.posts.get() + 1);
    }
}

#[test]
fn one_connection_has_the_handlers_of_both() {
    let (tracker, platform) = (Tracker::default(), Platform::default());
    let wire = Wire::between::<Tracker, Platform>();
    wire.run(&tracker, &platform, async {
        let (up, down) = (wire.device.peer(), wire.platform.peer());
        up.call(PropertyPostRequest::from(Properties::default())).await.unwrap();
        up.call(TagsUpdateRequest::new([Tag::new("SN", "1")])).await.unwrap();
        down.call(PropertySetRequest::from(Properties::default())).await.unwrap();
        down.call(ConfigPushRequest::from(Config::new("c", "https://x/c"))).await.unwrap();
        let unhandled = up.call(TopoGetRequest::new()).await.unwrap_err();
        assert!(matches!(unhandled, CallFailure::Refused(error) if error.code == ErrorCode::Other("404".into())));
    });
    assert_eq!((platform.posts.get(), tracker.was_set.get()), (1, true));
    assert_eq!(*platform.system.tags.borrow(), [Tag::new("SN", "1")]);
    assert_eq!(*tracker.system.configuration.borrow(), "https://x/c");
}
