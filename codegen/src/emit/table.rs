//! The table of actions, for callers that know a name only when they run.

use proc_macro2::TokenStream;
use quote::quote;

use crate::model::{Action, Protocol};
use crate::names::ident;

pub(super) fn table(protocol: &Protocol) -> TokenStream {
    let mut actions: Vec<&Action> = protocol.actions.iter().collect();
    // The runtime looks them up by bisection.
    actions.sort_unstable_by_key(|action| action.wire.as_str());
    let entries = actions.iter().map(|action| {
        let (name, from) = (ident(&action.name), &action.from);
        match action.response {
            Some(_) => quote! { ::onwire::ActionEntry::answered::<#name>(&[#(#from),*]) },
            None => quote! { ::onwire::ActionEntry::unanswered::<#name>(&[#(#from),*]) },
        }
    });
    quote! {
        #[doc = " All actions by name, for callers that know a name only when they run. A program that does not use it does not"]
        #[doc = " carry it."]
        pub static ACTIONS: &[::onwire::ActionEntry] = &[#(#entries),*];
    }
}
