//! The derive macro for `Event`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{DeriveInput, Error, LitInt, LitStr, Result, meta::ParseNestedMeta};

const EXAMPLE: &str = "write `#[event(name = \"acme.feed/tick\", version = 1)]`";

/// How the payload of a type is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// The bytes of the type itself.
    Fixed,
    /// What serde makes of the type, in the postcard format.
    Serde,
}

/// What stands in the `event` attributes of a type.
struct Attributes {
    name: LitStr,
    version: u32,
    layout: Layout,
}

#[derive(Default)]
struct Draft {
    name: Option<LitStr>,
    version: Option<LitInt>,
    layout: Option<Layout>,
}

pub(super) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let Attributes { name, version, layout } = Attributes::read(input)?;
    let ident = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let (encode, decode) = match layout {
        Layout::Fixed => (quote!(encode_fixed), quote!(decode_fixed)),
        Layout::Serde => (quote!(encode_serde), quote!(decode_serde)),
    };
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::hotbay_plugin_api::Event for #ident #type_generics #where_clause {
            const NAME: &'static str = #name;
            const VERSION: u32 = #version;

            #[inline]
            fn encode(&self, payload: &mut ::std::vec::Vec<u8>) {
                ::hotbay_plugin_api::__private::#encode(self, payload);
            }

            #[inline]
            fn decode(payload: &[u8]) -> ::std::option::Option<Self> {
                ::hotbay_plugin_api::__private::#decode(payload)
            }
        }
    })
}

impl Attributes {
    fn read(input: &DeriveInput) -> Result<Self> {
        let mut draft = Draft::default();
        for attribute in input.attrs.iter().filter(|it| it.path().is_ident("event")) {
            attribute.parse_nested_meta(|meta| draft.set(&meta))?;
        }
        let missing = |what: &str| {
            Error::new(Span::call_site(), format!("an event needs a {what}; {EXAMPLE}"))
        };
        let name = draft.name.ok_or_else(|| missing("name"))?;
        if name.value().trim().is_empty() {
            return Err(Error::new(name.span(), format!("the name is empty; {EXAMPLE}")));
        }
        let version = draft.version.ok_or_else(|| missing("version"))?.base10_parse()?;
        Ok(Self { name, version, layout: draft.layout.unwrap_or(Layout::Serde) })
    }
}

impl Draft {
    fn set(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("name") {
            self.name = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("version") {
            self.version = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("layout") {
            let layout: LitStr = meta.value()?.parse()?;
            self.layout = Some(match layout.value().as_str() {
                "fixed" => Layout::Fixed,
                "serde" => Layout::Serde,
                _ => return Err(Error::new(layout.span(), "expected `fixed` or `serde`")),
            });
        } else {
            return Err(meta.error("expected `name`, `version` or `layout`"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(attribute: TokenStream) -> String {
        let input = syn::parse2(quote! { #attribute struct Tick; }).unwrap();
        derive(&input).unwrap_err().to_string()
    }

    #[test]
    fn a_missing_name_or_version_is_told_with_an_example() {
        assert!(refused(quote!()).contains("an event needs a name; write `#[event("));
        let text = refused(quote!(#[event(name = "acme/tick")]));
        assert!(text.contains("an event needs a version"), "{text}");
    }

    #[test]
    fn what_is_no_attribute_of_an_event_is_told_with_those_that_are() {
        let text = refused(quote!(#[event(name = "acme/tick", versoin = 1)]));
        assert_eq!(text, "expected `name`, `version` or `layout`");
        let text = refused(quote!(#[event(name = "acme/tick", version = 1, layout = "c")]));
        assert_eq!(text, "expected `fixed` or `serde`");
    }
}
