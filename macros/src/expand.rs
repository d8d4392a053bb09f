//! Writing the router: one `match` over action names.
//!
//! Spans decide how mistakes read: a parameter's conversion stands at the parameter's type, the answer's at the return
//! type, the role check at the action in the attribute. With mistakes of its own the macro writes no routing code, so
//! that the compiler adds no noise of its own.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{ItemImpl, Path};

use crate::args::Args;
use crate::block::{Block, Handler, Mistakes};

pub(crate) fn handlers(args: TokenStream, item: TokenStream) -> TokenStream {
    let args = match syn::parse2::<Args>(args) {
        Ok(args) => args,
        Err(error) => return with_errors(&item, &error),
    };
    let block = match syn::parse2::<ItemImpl>(item.clone()) {
        Ok(block) => block,
        Err(error) => {
            let message = "`#[handlers]` stands above an `impl` block";
            let mut all = syn::Error::new(item.span(), message);
            all.combine(error);
            return with_errors(&item, &all);
        }
    };
    let mut mistakes = Mistakes::default();
    let block = Block::read(block, &args, &mut mistakes);
    let item = &block.item;
    if let Some(error) = mistakes.into_error() {
        return with_errors(&quote!(#item), &error);
    }
    let router = router(&args, &block);
    quote! { #item #router }
}

fn with_errors(item: &TokenStream, error: &syn::Error) -> TokenStream {
    let errors = error.to_compile_error();
    // The attributes that this macro would have taken off mean nothing to the compiler.
    let mut item = item.clone();
    if let Ok(mut block) = syn::parse2::<ItemImpl>(item.clone()) {
        for member in &mut block.items {
            if let syn::ImplItem::Fn(method) = member {
                method
                    .attrs
                    .retain(|attribute| !attribute.path().is_ident("on") && !attribute.path().is_ident("after"));
            }
        }
        item = quote!(#block);
    }
    quote! { #item #errors }
}

fn router(args: &Args, block: &Block) -> TokenStream {
    let krate = &args.krate;
    let protocol = args.protocol_path();
    let role = &args.role;
    let (impl_generics, _, where_clause) = block.item.generics.split_for_impl();
    let self_type = &block.item.self_ty;
    // An unknown action or role is one error here, not one at each use.
    let mut aliases: Vec<TokenStream> = Vec::new();
    let mut named: Vec<&Ident> = Vec::new();
    for handler in block.on.iter().chain(&block.after) {
        if !named.contains(&&handler.action) {
            named.push(&handler.action);
            let (alias, action) = (alias(handler), &handler.action);
            aliases.push(quote! {
                #[allow(non_camel_case_types, dead_code)]
                type #alias = #protocol::#action;
            });
        }
    }
    let local = bodies(args, block, Flavour { on: "on", after: "after" });
    let (local_on, local_after) = (&local.on, &local.after);
    let has_after = has_after(args, block);
    let send = (!args.local).then(|| {
        let send = bodies(args, block, Flavour { on: "on_send", after: "after_send" });
        let (on, after) = (&send.on, &send.after);
        quote! {
            #[automatically_derived]
            // Lints are for what the user wrote; an `#[after]` and the `#[on]` arm behind it name the same action.
            #[allow(clippy::all, unreachable_patterns, unused_variables)]
            impl #impl_generics #krate::SendRouter for #self_type #where_clause {
                fn on_send<'__c>(
                    &'__c self,
                    cx: #krate::Cx<'__c>,
                ) -> impl ::core::future::Future<
                    Output = ::core::result::Result<#krate::frame::Reply, #krate::CallError>,
                > + ::core::marker::Send + '__c {
                    async move { #on }
                }

                fn after_send<'__c>(
                    &'__c self,
                    cx: #krate::Cx<'__c>,
                ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send + '__c {
                    async move { #after }
                }
            }
        }
    });
    quote! {
        const _: () = {
            #(#aliases)*
            type __Role = #protocol::role::#role;

            #[automatically_derived]
            // Lints are for what the user wrote; an `#[after]` and the `#[on]` arm behind it name the same action.
            #[allow(clippy::all, unreachable_patterns, unused_variables)]
            impl #impl_generics #krate::Router for #self_type #where_clause {
                type Role = __Role;
                const DIALECT: &'static #krate::Dialect = &#protocol::DIALECT;

                fn on<'__c>(
                    &'__c self,
                    cx: #krate::Cx<'__c>,
                ) -> impl ::core::future::Future<
                    Output = ::core::result::Result<#krate::frame::Reply, #krate::CallError>,
                > + '__c {
                    async move { #local_on }
                }

                fn has_after(&self, action: &str) -> bool {
                    #has_after
                }

                fn after<'__c>(
                    &'__c self,
                    cx: #krate::Cx<'__c>,
                ) -> impl ::core::future::Future<Output = ()> + '__c {
                    async move { #local_after }
                }
            }

            #send
        };
    }
}

/// Our variables and `self` at a place of the user's: they point there, but are looked up as names of this macro, because
/// what stands there may come from a macro of theirs, where ours are not known.
struct Names {
    cx: Ident,
    reply: Ident,
    this: Ident,
}

impl Names {
    fn at(span: Span) -> Self {
        let span = span.resolved_at(Span::call_site());
        let [cx, reply, this] = ["cx", "reply", "self"].map(|name| Ident::new(name, span));
        Self { cx, reply, this }
    }
}

/// Which methods of the rest are called.
struct Flavour {
    on: &'static str,
    after: &'static str,
}

struct Bodies {
    on: TokenStream,
    after: TokenStream,
}

fn alias(handler: &Handler) -> Ident {
    format_ident!("__{}", handler.action, span = handler.action.span())
}

fn pattern(krate: &Path, handler: &Handler) -> TokenStream {
    let (alias, cfg) = (alias(handler), &handler.cfg);
    quote!(#(#cfg)* <#alias as #krate::Routed>::NAME)
}

fn rest(args: &Args) -> Option<TokenStream> {
    let krate = &args.krate;
    args.rest.as_ref().map(|rest| quote_spanned!(rest.span()=> #krate::__private::rest_of::<__Role, _>(&#rest)))
}

fn bodies(args: &Args, block: &Block, flavour: Flavour) -> Bodies {
    let krate = &args.krate;
    let router = if flavour.on == "on" { quote!(#krate::Router) } else { quote!(#krate::SendRouter) };
    let (on_method, after_method) = (format_ident!("{}", flavour.on), format_ident!("{}", flavour.after));
    let on_arms = block.on.iter().map(|handler| {
        let (alias, pattern) = (alias(handler), pattern(krate, handler));
        let span = handler.action.span();
        let check = quote_spanned!(span=> #krate::__private::assert_received_by::<#alias, __Role>(););
        let kind = quote!(#krate::On<#alias>);
        let call = call(krate, handler, &kind);
        let judged = handler
            .parameters
            .iter()
            .map(|ty| quote_spanned!(ty.span()=> <#ty as #krate::FromCall<'_, #kind>>::READS_PAYLOAD));
        let Names { cx, reply, .. } = Names::at(handler.output);
        let reply = quote_spanned!(handler.output=> #krate::IntoReply::<#alias>::into_reply(#reply, &#cx));
        quote! {
            #pattern => {
                #check
                if !(false #(|| #judged)*) {
                    cx.request::<<#alias as #krate::Routed>::Request>()?;
                }
                let reply = #call;
                #reply
            }
        }
    });
    let rest_on = match rest(args) {
        Some(rest) => quote!(#router::#on_method(#rest, cx).await),
        None => quote!(::core::result::Result::Err(cx.unhandled())),
    };
    let after_arms = block.after.iter().map(|handler| {
        let (alias, pattern) = (alias(handler), pattern(krate, handler));
        let call = call_after(krate, handler, &quote!(#krate::After<#alias>));
        // Without an `#[on]` of our own the rest answered, and its `#[after]` comes first.
        let rest_first = rest(args).and_then(|rest| {
            let unless = not_answered_here(block, handler)?;
            Some(quote!(#unless #router::#after_method(#rest, cx).await;))
        });
        let span = handler.action.span();
        let check = quote_spanned!(span=> #krate::__private::assert_answered::<#alias>(););
        quote! { #pattern => { #check #rest_first #call } }
    });
    let answered_here = answered_here(krate, block).map(|pattern| quote!(#pattern => {}));
    let rest_after = match rest(args) {
        Some(rest) => quote!(#router::#after_method(#rest, cx).await),
        None => quote!({}),
    };
    Bodies {
        on: quote! { match cx.action() { #(#on_arms)* _ => #rest_on } },
        after: quote! { match cx.action() { #(#after_arms)* #(#answered_here)* _ => #rest_after } },
    }
}

/// Actions with an `#[on]` here: the rest has no say in them. They follow the arms of `#[after]`, which may have been
/// configured away.
fn answered_here<'b>(krate: &'b Path, block: &'b Block) -> impl Iterator<Item = TokenStream> + 'b {
    block.on.iter().map(move |on| pattern(krate, on))
}

/// The `#[cfg]` under which no `#[on]` here is for that action: nothing if there never is one, `None` if there always is.
fn not_answered_here(block: &Block, after: &Handler) -> Option<TokenStream> {
    let mut conditions = Vec::new();
    for on in block.on.iter().filter(|on| on.action == after.action) {
        let predicates: Vec<&TokenStream> =
            on.cfg.iter().filter_map(|cfg| Some(&cfg.meta.require_list().ok()?.tokens)).collect();
        if predicates.is_empty() {
            return None;
        }
        conditions.push(quote!(all(#(#predicates),*)));
    }
    Some(if conditions.is_empty() { TokenStream::new() } else { quote!(#[cfg(not(any(#(#conditions),*)))]) })
}

fn has_after(args: &Args, block: &Block) -> TokenStream {
    let krate = &args.krate;
    let here = block.after.iter().map(|handler| pattern(krate, handler));
    let answered_here = answered_here(krate, block);
    let rest = match rest(args) {
        Some(rest) => quote!(#krate::Router::has_after(#rest, action)),
        None => quote!(false),
    };
    quote! { match action { #(#here => true,)* #(#answered_here => false,)* _ => #rest } }
}

fn arguments<'h>(
    krate: &'h Path,
    handler: &'h Handler,
    kind: &'h TokenStream,
) -> impl Iterator<Item = TokenStream> + 'h {
    handler.parameters.iter().map(move |ty| {
        let Names { cx, .. } = Names::at(ty.span());
        quote_spanned!(ty.span()=> <#ty as #krate::FromCall<'_, #kind>>::from_call(&#cx))
    })
}

/// The call of an `#[on]` handler; a parameter that cannot be had is the refusal.
fn call(krate: &Path, handler: &Handler, kind: &TokenStream) -> TokenStream {
    let method = &handler.method;
    let arguments = arguments(krate, handler, kind);
    let wait = handler.is_async.then(|| quote!(.await));
    quote!(self.#method(#(#arguments?),*) #wait)
}

/// The call of an `#[after]` handler. The call has been answered, so that a parameter that cannot be had (of a payload
/// that only `RawPayload` let pass) leaves nobody to tell: the handler does not run.
fn call_after(krate: &Path, handler: &Handler, kind: &TokenStream) -> TokenStream {
    let method = &handler.method;
    let names: Vec<Ident> = (0..handler.parameters.len()).map(|index| format_ident!("__p{index}")).collect();
    let arguments = arguments(krate, handler, kind);
    let wait = handler.is_async.then(|| quote!(.await));
    let Names { this, .. } = Names::at(handler.output);
    let unit = quote_spanned!(handler.output=> let () = #this.#method(#(#names),*) #wait;);
    quote! {
        #(let ::core::result::Result::Ok(#names) = #arguments else { return };)*
        #unit
    }
}

#[cfg(test)]
mod tests {
    use super::handlers;
    use quote::quote;

    fn expand(args: proc_macro2::TokenStream, item: proc_macro2::TokenStream) -> String {
        prettyplease::unparse(&syn::parse2(handlers(args, item)).unwrap())
    }

    fn snapshot(name: &str, text: &str) {
        insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(name, text) });
    }

    #[test]
    fn a_block_becomes_one_match() {
        let text = expand(
            quote!(ocpp::v16, role = CentralSystem),
            quote! {
                impl Csms {
                    #[on(BootNotification)]
                    async fn boot(&self, peer: &Peer, req: BootNotificationRequest) -> BootNotificationResponse {}

                    #[after(BootNotification)]
                    async fn booted(&self, peer: &Peer, res: BootNotificationResponse) {}

                    #[on(Heartbeat)]
                    fn heartbeat(&self) -> Result<HeartbeatResponse, Error> {}

                    fn helper(&self) {}
                }
            },
        );
        snapshot("handlers", &text);
    }

    #[test]
    fn the_rest_goes_where_it_is_sent_and_local_handlers_need_not_be_send() {
        let text = expand(
            quote!(crate::till, role = Till, rest = self.inner, local),
            quote! {
                impl<H: Hardware> Till<H> {
                    #[cfg(feature = "sale")]
                    #[on(Sale)]
                    async fn sale(&self, id: CallId<'_>) -> SaleResponse {}

                    #[after(Refund)]
                    fn refunded(&self) {}
                }
            },
        );
        snapshot("rest_and_local", &text);
    }

    #[test]
    fn every_mistake_of_a_block_is_reported() {
        let text = expand(
            quote!(ocpp::v16, role = CentralSystem),
            quote! {
                impl Csms {
                    #[on(Heartbeat)]
                    fn one(&self) -> HeartbeatResponse {}
                    #[on(Heartbeat)]
                    fn two(&mut self) {}
                    #[after(Authorize)]
                    fn three<T>() {}
                    #[on]
                    fn four(&self) {}
                }
            },
        );
        assert_eq!(text.matches("compile_error!").count(), 6, "{text}");
        assert!(!text.contains("SendRouter"), "{text}");
    }
}
