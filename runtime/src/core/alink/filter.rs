//! Topic filters, matched here: a broker says which topic a message came on, and not which subscription brought it.

/// Whether a topic is one of those that a filter asks for (MQTT 3.1.1 §4.7): `+` stands for one level, `#` at the end for the
/// level before it and all that follow.
///
/// ```
/// use onwire::alink::matches;
///
/// assert!(matches("/a1X/SN1/user/+/set", "/a1X/SN1/user/lamp/set"));
/// assert!(matches("/a1X/SN1/user/#", "/a1X/SN1/user"));
/// assert!(!matches("/a1X/SN1/user/+", "/a1X/SN1/user/lamp/set"));
/// ```
pub fn matches(filter: &str, topic: &str) -> bool {
    // Topics of the broker's own are for those who name them (§4.7.2).
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    let mut wanted = filter.split('/').peekable();
    while let Some(level) = wanted.next() {
        if level == "#" {
            return wanted.peek().is_none();
        }
        match levels.next() {
            Some(found) if level == "+" || level == found => {}
            _ => return false,
        }
        // What stands before `/#` is meant, too.
        if wanted.peek() == Some(&"#") && levels.clone().next().is_none() {
            return true;
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_matched_as_the_standard_says() {
        for (filter, topic) in [
            ("a/b", "a/b"),
            ("+/+", "/finance"),
            ("/+", "/finance"),
            ("#", "a/b/c"),
            ("a/#", "a"),
            ("a/#", "a/b/c"),
            ("a/+/c", "a/b/c"),
            ("a/+", "a/"),
            ("+/#", "a"),
        ] {
            assert!(matches(filter, topic), "{filter} {topic}");
        }
        for (filter, topic) in [
            ("a/b", "a/c"),
            ("a", "a/b"),
            ("a/b", "a"),
            ("+", "/finance"),
            ("a/+", "a"),
            ("a/#/c", "a/b/c"),
            ("#", "$SYS/uptime"),
            ("+/uptime", "$SYS/uptime"),
            ("a+", "ab"),
            ("", "a"),
        ] {
            assert!(!matches(filter, topic), "{filter} {topic}");
        }
    }
}
