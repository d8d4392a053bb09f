//! Reading the `impl` block: which methods handle what, and every mistake in it at once.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, ReturnType, Type};

use crate::args::Args;

/// A method with `#[on(..)]` or `#[after(..)]`.
pub(crate) struct Handler {
    pub(crate) action: Ident,
    pub(crate) method: Ident,
    pub(crate) parameters: Vec<Type>,
    pub(crate) is_async: bool,
    /// Where the return type stands, or the method's name if there is none.
    pub(crate) output: Span,
    /// `#[cfg(..)]` of the method.
    pub(crate) cfg: Vec<Attribute>,
}

/// The handlers of a block, and the block without our attributes.
pub(crate) struct Block {
    pub(crate) item: ItemImpl,
    pub(crate) on: Vec<Handler>,
    pub(crate) after: Vec<Handler>,
}

/// Mistakes, to be reported together.
#[derive(Default)]
pub(crate) struct Mistakes(Option<syn::Error>);

impl Mistakes {
    pub(crate) fn add(&mut self, span: Span, message: impl std::fmt::Display) {
        self.push(syn::Error::new(span, message));
    }

    fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            none => *none = Some(error),
        }
    }

    pub(crate) fn into_error(self) -> Option<syn::Error> {
        self.0
    }
}

#[derive(Clone, Copy, PartialEq)]
enum When {
    On,
    After,
}

impl When {
    fn of(attribute: &Attribute) -> Option<Self> {
        let path = attribute.path();
        // `onwire::on` is the same to a reader.
        match path.segments.last()?.ident.to_string().as_str() {
            "on" if path.segments.len() <= 2 => Some(Self::On),
            "after" if path.segments.len() <= 2 => Some(Self::After),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::After => "after",
        }
    }

    fn signature(self, action: &str) -> String {
        match self {
            Self::On => format!("`async fn name(&self, peer: &Peer, req: {action}Request) -> {action}Response`"),
            Self::After => {
                format!("`async fn name(&self, peer: &Peer, req: {action}Request, res: {action}Response)`")
            }
        }
    }
}

impl Block {
    pub(crate) fn read(mut item: ItemImpl, args: &Args, mistakes: &mut Mistakes) -> Self {
        if let Some((path, _)) = &item.trait_ {
            mistakes.add(path.span(), "`#[handlers]` stands above an `impl` block of the type itself, not of a trait");
        }
        let (mut on, mut after) = (Vec::new(), Vec::new());
        for member in &mut item.items {
            let ImplItem::Fn(method) = member else { continue };
            if let Some((when, handler)) = handler(method, mistakes) {
                match when {
                    When::On => on.push(handler),
                    When::After => after.push(handler),
                }
            }
        }
        twice(&on, When::On, mistakes);
        twice(&after, When::After, mistakes);
        if args.rest.is_none() {
            for handler in &after {
                if !on.iter().any(|on| on.action == handler.action) {
                    let action = &handler.action;
                    mistakes.add(
                        action.span(),
                        format!(
                            "`#[after({action})]` without `#[on({action})]`: nothing answers the call; \
                             write that handler, or say with `rest = self.field` who does"
                        ),
                    );
                }
            }
            // Without any method it is a side that only calls.
            if on.is_empty() && after.is_empty() && !item.items.is_empty() {
                mistakes
                    .add(item.self_ty.span(), "no handler: write `#[on(Action)]` above the methods that answer calls");
            }
        }
        Self { item, on, after }
    }
}

/// Takes our attributes off the method and reads what they ask for.
fn handler(method: &mut ImplItemFn, mistakes: &mut Mistakes) -> Option<(When, Handler)> {
    let ours: Vec<(When, Attribute)> =
        method.attrs.iter().filter_map(|attribute| Some((When::of(attribute)?, attribute.clone()))).collect();
    method.attrs.retain(|attribute| When::of(attribute).is_none());
    let ((when, attribute), more) = ours.split_first()?;
    let when = *when;
    for (_, attribute) in more {
        mistakes.add(attribute.span(), "a method handles one action, at one time; write a method for each");
    }
    let action = match attribute.parse_args::<Ident>() {
        Ok(action) => action,
        Err(_) => {
            let name = when.name();
            mistakes.add(attribute.span(), format!("expected the name of an action: `#[{name}(BootNotification)]`"));
            return None;
        }
    };
    let expected = when.signature(&action.to_string());
    let signature = &method.sig;
    if !signature.generics.params.is_empty() {
        mistakes.add(
            signature.generics.span(),
            format!("a handler has no generic parameters, lifetimes are left out; expected {expected}"),
        );
    }
    let mut inputs = signature.inputs.iter();
    let shared = |receiver: &syn::Receiver| matches!(receiver.kind, syn::ReceiverKind::Reference(_, _, None));
    match inputs.next() {
        Some(FnArg::Receiver(receiver)) if shared(receiver) => {}
        Some(FnArg::Receiver(receiver)) => mistakes.add(
            receiver.span(),
            format!(
                "a handler takes `&self`, as others may run at the same time: \
                 keep what changes behind a lock or in a cell; expected {expected}"
            ),
        ),
        _ => mistakes.add(signature.ident.span(), format!("a handler takes `&self`; expected {expected}")),
    }
    let parameters = inputs
        .filter_map(|input| match input {
            FnArg::Typed(typed) => Some((*typed.ty).clone()),
            FnArg::Receiver(_) => None,
        })
        .collect();
    let output = match &signature.output {
        ReturnType::Type(_, ty) => {
            let nothing = matches!(&**ty, Type::Tuple(tuple) if tuple.elems.is_empty());
            if when == When::After && !nothing {
                mistakes.add(
                    ty.span(),
                    format!("an `#[after]` handler returns nothing, as the answer is on its way; expected {expected}"),
                );
            }
            ty.span()
        }
        // Right for a message that is never answered; which those are, types tell.
        ReturnType::Default => signature.ident.span(),
    };
    let handler = Handler {
        method: signature.ident.clone(),
        parameters,
        is_async: signature.asyncness.is_some(),
        output,
        cfg: method.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect(),
        action,
    };
    Some((when, handler))
}

fn twice(handlers: &[Handler], when: When, mistakes: &mut Mistakes) {
    for (index, handler) in handlers.iter().enumerate() {
        // Two of them may exclude each other by configuration.
        let clashes =
            |first: &&Handler| first.action == handler.action && first.cfg.is_empty() && handler.cfg.is_empty();
        if let Some(first) = handlers.iter().take(index).find(clashes) {
            let (name, action) = (when.name(), &handler.action);
            mistakes
                .add(action.span(), format!("a second `#[{name}({action})]`: `{}` handles it already", first.method));
        }
    }
}
