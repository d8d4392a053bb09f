//! Rust names for identifiers, whatever is in them: a product's model cannot be changed for our sake.

use crate::names::{field_name, type_name, upper_camel};

/// What every module has without saying so: a type of that name would hide it from whoever writes `use model::*`.
/// `Self` is a keyword.
const PRELUDE: [&str; 13] = [
    "Box", "Clone", "Copy", "Default", "Drop", "From", "Into", "Iterator", "Option", "Result", "Self", "String", "Vec",
];

/// Names of actions and of the types that go with them.
pub(super) struct Names(Vec<String>);

impl Default for Names {
    fn default() -> Self {
        Self(PRELUDE.map(str::to_owned).to_vec())
    }
}

impl Names {
    /// The name of an action: the identifier's words. Where another has it, what the action is, and then a number, is
    /// added.
    pub(super) fn action(&mut self, identifier: &str, what: &str) -> String {
        let plain = type_name_of(identifier);
        let numbered = (2..).map(|number| format!("{plain}{what}{number}"));
        let mut candidates = [plain.clone(), format!("{plain}{what}")].into_iter().chain(numbered);
        let of = |name: &str| ["", "Request", "Response", "Output"].map(|part| format!("{name}{part}"));
        let is_free = |name: &String| !of(name).iter().any(|part| self.0.contains(part));
        // Numbers do not end.
        let name = candidates.find(is_free).unwrap_or(plain);
        self.0.extend(of(&name));
        name
    }

    pub(super) fn into_taken(self) -> Vec<String> {
        self.0
    }
}

/// The name of a type that is written in place, if its field alone can give it: the identifier's words, and the number
/// that tells the field from another that is spelled alike.
pub(super) fn in_place(identifier: &str, field: &str) -> String {
    let plain = type_name_of(identifier);
    let number = field.rsplit_once('_').map_or("", |(_, number)| number);
    let is_numbered = field_names(std::iter::once(identifier)).first().is_some_and(|first| first != field);
    match (is_numbered, PRELUDE.contains(&plain.as_str())) {
        (false, false) => plain,
        (false, true) => format!("{plain}Value"),
        (true, _) => format!("{plain}{number}"),
    }
}

/// The names of fields, in order; the later one of two that are spelled alike gets a number.
pub(super) fn field_names<'i>(identifiers: impl Iterator<Item = &'i str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for identifier in identifiers {
        let cleaned = cleaned(identifier);
        let plain = field_name(&cleaned).unwrap_or_else(|| format!("_{}", code_points(identifier)));
        let numbered = (2..).map(|number| format!("{}_{number}", plain.trim_end_matches('_')));
        let mut candidates = std::iter::once(plain.clone()).chain(numbered);
        let name = candidates.find(|name| !names.contains(name)).unwrap_or(plain);
        names.push(name);
    }
    names
}

fn type_name_of(identifier: &str) -> String {
    let mut name = upper_camel(&cleaned(identifier));
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert(0, 'N');
    }
    if type_name(&name).is_some() || name == "Self" { name } else { format!("U{}", code_points(identifier)) }
}

/// What cannot stand in a name separates words.
fn cleaned(identifier: &str) -> String {
    let can_stand = |character: char| syn::parse_str::<syn::Ident>(&format!("_{character}_")).is_ok();
    identifier.chars().map(|character| if can_stand(character) { character } else { ' ' }).collect()
}

/// A name for what has no letter or digit at all.
fn code_points(identifier: &str) -> String {
    let points: Vec<String> = identifier.chars().map(|character| format!("{:x}", u32::from(character))).collect();
    points.join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_identifier_becomes_a_name() {
        let names =
            field_names(["type", "self", "meter:Power", "$time", "2nd", "€", "a-b", "a_b", "aB", "功率"].into_iter());
        assert_eq!(names, ["type", "self_", "meter_power", "time", "_2nd", "_20ac", "a_b", "a_b_2", "a_b_3", "功率"]);
        assert_eq!(in_place("self", "self_"), "SelfValue");
        assert_eq!(type_name_of("meter:Start"), "MeterStart");
        assert_eq!(type_name_of("9"), "N9");
        assert_eq!(type_name_of("$$"), "U24_24");
    }

    #[test]
    fn actions_of_one_name_are_told_apart() {
        let mut names = Names::default();
        assert_eq!(names.action("Reset", "Service"), "Reset");
        assert_eq!(names.action("reset", "Event"), "ResetEvent");
        assert_eq!(names.action("ResetRequest", "Service"), "ResetRequestService");
        assert_eq!(names.action("re-set", "Event"), "ReSet");
        assert_eq!(names.action("RESET", "Event"), "RESET");
        assert_eq!(names.action("Reset", "Event"), "ResetEvent2");
        assert_eq!(names.action("result", "Service"), "ResultService");
        assert_eq!([in_place("Result", "result"), in_place("a-b", "a_b_2")], ["ResultValue", "AB2"]);
    }
}
