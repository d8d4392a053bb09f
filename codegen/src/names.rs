//! From names on the wire to Rust names.

use heck::ToSnakeCase;
use unicode_normalization::UnicodeNormalization;

/// A type's or an action's name: the wire's own if it can be one.
pub(crate) fn type_name(wire: &str) -> Option<String> {
    let name = upper_camel(wire);
    (is_identifier(&name) && name != "Self").then_some(name)
}

/// A field's name, without `r#`.
pub(crate) fn field_name(wire: &str) -> Option<String> {
    let mut name = plain(wire).to_snake_case();
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert(0, '_');
    }
    // The four keywords that cannot be written with `r#`.
    if matches!(name.as_str(), "self" | "super" | "crate" | "_") {
        name.push('_');
    }
    is_identifier(&name).then_some(name)
}

/// A variant's name.
pub(crate) fn variant_name(wire: &str) -> Option<String> {
    let mut name = upper_camel(wire);
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert_str(0, "Value");
    }
    // `Self` is a keyword, and the other is the variant that keeps unknown values.
    if matches!(name.as_str(), "Self" | "Unrecognized") {
        name.push_str("Value");
    }
    is_identifier(&name).then_some(name)
}

/// Each part between separators begins with a capital; the rest stays (`kWh` is `KWh`, `L1-N` is `L1N`).
pub(crate) fn upper_camel(wire: &str) -> String {
    let mut name = String::new();
    for part in plain(wire).split(|character: char| !character.is_alphanumeric()) {
        let mut characters = part.chars();
        name.extend(characters.next().into_iter().flat_map(char::to_uppercase));
        name.push_str(characters.as_str());
    }
    name
}

/// In the letters that stand for others: `ＯＮ` is `ON`, `Ⅲ` is `III` and `ª` is `a`. The compiler warns of what is not.
fn plain(wire: &str) -> String {
    wire.nfkc().collect()
}

/// Whether a name has letters of ASCII and East Asian ones only: of others the compiler warns that they look like these, and
/// that can be allowed for a whole crate only, which is the user's.
pub(crate) fn is_unmistakable(name: &str) -> bool {
    name.chars().all(|letter| {
        letter.is_ascii()
            || matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}')
    })
}

fn is_identifier(name: &str) -> bool {
    syn::parse_str::<syn::Ident>(name).is_ok() || syn::parse_str::<syn::Ident>(&format!("r#{name}")).is_ok()
}

/// The identifier, with `r#` where it is a keyword.
pub(crate) fn ident(name: &str) -> proc_macro2::Ident {
    let span = proc_macro2::Span::call_site();
    match syn::parse_str::<syn::Ident>(name) {
        // A keyword since the edition of 2024, which the parser does not know.
        Ok(_) if name == "gen" => proc_macro2::Ident::new_raw(name, span),
        Ok(_) => proc_macro2::Ident::new(name, span),
        Err(_) => proc_macro2::Ident::new_raw(name, span),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_the_words_of_the_specification() {
        assert_eq!(field_name("chargePointSerialNumber").as_deref(), Some("charge_point_serial_number"));
        assert_eq!(field_name("type").as_deref(), Some("type"));
        assert_eq!(field_name("self").as_deref(), Some("self_"));
        assert_eq!(field_name("2ndMeter").as_deref(), Some("_2nd_meter"));
        assert_eq!(variant_name("Energy.Active.Import.Register").as_deref(), Some("EnergyActiveImportRegister"));
        assert_eq!(variant_name("L1-N").as_deref(), Some("L1N"));
        assert_eq!(variant_name("kWh").as_deref(), Some("KWh"));
        assert_eq!(variant_name("8.1").as_deref(), Some("Value81"));
        assert_eq!(variant_name("充电").as_deref(), Some("充电"));
        assert_eq!((ident("type").to_string(), ident("gen").to_string()), ("r#type".into(), "r#gen".into()));
        let plain = ["ＯＮ", "Ⅲ", "ª", "ﬁne"].map(|wire| variant_name(wire).unwrap());
        assert_eq!(plain, ["ON", "III", "A", "Fine"]);
        assert_eq!(field_name("ＤＯＯＲ＿１").as_deref(), Some("door_1"));
        assert!(
            is_unmistakable("充电L1") && is_unmistakable("オン") && !is_unmistakable("Вкл") && !is_unmistakable("Ω")
        );
    }

    #[test]
    fn what_cannot_be_a_name_is_none() {
        assert_eq!(field_name(""), None);
        assert_eq!(field_name("€"), None);
        assert_eq!(variant_name("--"), None);
        assert_eq!(type_name("9"), None);
    }
}
