//! The attribute macros of onwire. They are documented in the crate `onwire`, where the examples run.

mod args;
mod block;
mod expand;

use proc_macro::TokenStream;

#[allow(missing_docs, reason = "documented where onwire exports it")]
#[proc_macro_attribute]
pub fn handlers(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::handlers(args.into(), item.into()).into()
}
