//! A `Dispatch` of `tracing` that allocates nothing.

use std::{
    mem::{self, MaybeUninit},
    ptr,
};

use tracing::{Dispatch, Subscriber, subscriber::NoSubscriber};

type Static = &'static (dyn Subscriber + Send + Sync);

/// The three words of a [`Dispatch`]: which of its two variants it is, and a reference.
type Words = [MaybeUninit<*const ()>; 3];

/// Makes a dispatch that forwards to a subscriber in a static, and that is not registered.
///
/// [`Dispatch::new`] allocates the subscriber and an entry in a list of `tracing-core`, 112 bytes
/// that no unload of a library frees. `tracing-core` 0.1 has no other way to a subscriber, but its
/// own [`Dispatch::none`] is what is needed: a reference to a static. So this is a copy of it, with
/// the reference exchanged.
///
/// Not being registered, it has no say in which events are of interest while the plugin itself
/// has a subscriber of its own in scope.
///
/// Returns `None` if [`Dispatch::none`] does not look as it does in `tracing-core` 0.1.
pub(crate) fn dispatch_to(subscriber: Static) -> Option<Dispatch> {
    let none = Dispatch::none();
    let nobody = ptr::from_ref(none.downcast_ref::<NoSubscriber>()?).cast::<()>();
    let own = ptr::from_ref(subscriber).cast::<()>();
    // SAFETY: a reference to a trait object consists of two pointers, without padding.
    let [data, table] = unsafe { mem::transmute::<Static, [*const (); 2]>(subscriber) };
    if size_of::<Dispatch>() != size_of::<Words>()
        || align_of::<Dispatch>() != align_of::<Words>()
        || data != own
    {
        return None;
    }
    let mut words: Words = [MaybeUninit::uninit(); 3];
    // SAFETY: `Dispatch` was found to be as large as `Words` above, and `words` may hold anything,
    // also bytes of `none` that are not initialized.
    unsafe { ptr::copy_nonoverlapping(ptr::from_ref(&none).cast(), &raw mut words, 1) };
    // SAFETY: `none` led to `nobody`, so it contains a reference or an `Arc`, which is two words one
    // after the other, and both are initialized. Of three words, the middle one is one of the two.
    if unsafe { words[1].assume_init() } != nobody {
        return None;
    }
    words[1] = MaybeUninit::new(data);
    words[2] = MaybeUninit::new(table);
    // SAFETY: `words` was a valid dispatch. Its last two words were a reference to a static
    // subscriber, of which the first points to the data, as was checked above for `subscriber`. An
    // `Arc` would point to its counters, which stand before the data. So `none` owns nothing, and
    // neither does this copy, in which the reference is exchanged for one to another static.
    Some(unsafe { ptr::read(words.as_ptr().cast::<Dispatch>()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Own;

    static OWN: Own = Own;

    impl Subscriber for Own {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::Id {
            tracing::Id::from_u64(7)
        }
        fn record(&self, _: &tracing::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::Id, _: &tracing::Id) {}
        fn event(&self, _: &tracing::Event<'_>) {}
        fn enter(&self, _: &tracing::Id) {}
        fn exit(&self, _: &tracing::Id) {}
    }

    #[test]
    fn a_static_dispatch_forwards_to_its_subscriber() {
        let dispatch = dispatch_to(&OWN).expect("tracing-core is as it was");
        assert!(ptr::eq(dispatch.downcast_ref::<Own>().unwrap(), &OWN));
        assert!(!dispatch.is::<NoSubscriber>());
        let copy = dispatch.clone();
        drop(dispatch);
        tracing::dispatcher::with_default(&copy, || {
            tracing::callsite::rebuild_interest_cache();
            assert_eq!(tracing::info_span!("a").id(), Some(tracing::Id::from_u64(7)));
        });
    }
}
