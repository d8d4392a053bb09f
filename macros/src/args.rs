//! The arguments of `#[handlers(..)]`.

use proc_macro2::Span;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Expr, Ident, Path, Token};

pub(crate) struct Args {
    /// The protocol's module, as it was written.
    pub(crate) protocol: Path,
    pub(crate) role: Ident,
    /// Who handles the other actions.
    pub(crate) rest: Option<Expr>,
    /// The handlers' futures need not be `Send`.
    pub(crate) local: bool,
    /// The path of the crate onwire.
    pub(crate) krate: Path,
}

const USAGE: &str = "expected `#[handlers(protocol, role = Role)]`, such as `#[onwire::handlers(ocpp::v16, role = CentralSystem)]`; \
                     after that `rest = self.field` and `local` may follow";

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.is_empty() {
            return Err(syn::Error::new(Span::call_site(), USAGE));
        }
        let protocol: Path = input.parse().map_err(|error| syn::Error::new(error.span(), USAGE))?;
        let (mut role, mut rest, mut local, mut krate) = (None, None, false, None);
        while !input.is_empty() {
            input.parse::<Token![,]>().map_err(|error| syn::Error::new(error.span(), USAGE))?;
            if input.is_empty() {
                break;
            }
            if input.peek(Token![crate]) {
                input.parse::<Token![crate]>()?;
                input.parse::<Token![=]>()?;
                krate = Some(input.parse()?);
                continue;
            }
            let name: Ident = input.parse().map_err(|error| syn::Error::new(error.span(), USAGE))?;
            match name.to_string().as_str() {
                "role" => {
                    input.parse::<Token![=]>()?;
                    role = Some(input.parse()?);
                }
                "rest" => {
                    input.parse::<Token![=]>()?;
                    rest = Some(input.parse()?);
                }
                "local" => local = true,
                _ => return Err(syn::Error::new(name.span(), USAGE)),
            }
        }
        let role = role.ok_or_else(|| syn::Error::new(protocol.span(), USAGE))?;
        let krate = krate.unwrap_or_else(|| syn::parse_quote!(::onwire));
        Ok(Self { protocol, role, rest, local, krate })
    }
}

impl Args {
    /// The protocol's module: `ocpp::..` is onwire's, any other path is taken as it was written.
    pub(crate) fn protocol_path(&self) -> Path {
        let (krate, protocol) = (&self.krate, &self.protocol);
        let first = self.protocol.segments.first();
        if self.protocol.leading_colon.is_none() && first.is_some_and(|segment| segment.ident == "ocpp") {
            return syn::parse_quote!(#krate::#protocol);
        }
        self.protocol.clone()
    }
}
