//! What a user sees of generated code.

/// The generated code without what every protocol has alike: types and their fields, one line each.
pub(crate) fn surface(code: &str) -> String {
    let file: syn::File = syn::parse_str(code).unwrap();
    let mut lines = Vec::new();
    let plain = |tokens: String| {
        let mut text: String = tokens.split_whitespace().collect();
        for path in ["::core::option::", "::onwire::types::", "::onwire::__private::"] {
            text = text.replace(path, "");
        }
        text.replace(",>", ">")
    };
    for item in &file.items {
        match item {
            syn::Item::Struct(item) => {
                lines.push(format!("struct {}", item.ident));
                for field in &item.fields {
                    let (name, ty) = (field.ident.as_ref().unwrap(), &field.ty);
                    lines.push(format!("    {name}: {}", plain(quote::quote!(#ty).to_string())));
                }
            }
            syn::Item::Enum(item) => {
                let variants: Vec<String> = item.variants.iter().map(|variant| variant.ident.to_string()).collect();
                lines.push(format!("enum {} {{ {} }}", item.ident, variants.join(", ")));
            }
            syn::Item::Type(item) => {
                let ty = &item.ty;
                lines.push(format!("type {} = {}", item.ident, plain(quote::quote!(#ty).to_string())));
            }
            _ => {}
        }
    }
    lines.join("\n")
}
