//! The derive macro of `hotbay-plugin-api`. Use it from there.

mod event;

/// Implements `Event`, so that a type travels as the payload of events.
///
/// The type needs `serde::Serialize`, `serde::Deserialize` and `schemars::JsonSchema`, and
/// travels in the [postcard](https://postcard.jamesmunns.com/wire-format) format:
///
/// ```ignore
/// #[derive(Serialize, Deserialize, JsonSchema, Event)]
/// #[event(name = "acme.feed/headline", version = 1)]
/// struct Headline { text: String, tags: Vec<String> }
/// ```
///
/// With `layout = "fixed"` it travels as its own bytes, without any conversion. Then it
/// needs `#[repr(C)]` and zerocopy's `FromBytes`, `IntoBytes` and `Immutable` in place of
/// `Deserialize`:
///
/// ```ignore
/// #[derive(Serialize, JsonSchema, FromBytes, IntoBytes, Immutable, Event)]
/// #[event(name = "acme.feed/tick", version = 1, layout = "fixed")]
/// #[repr(C)]
/// struct Tick { price: f64, size: f64 }
/// ```
///
/// Name and version are what a subscriber recognizes the type by: raise the version
/// whenever the fields change.
#[proc_macro_derive(Event, attributes(event))]
pub fn derive_event(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    event::derive(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
