//! Counts the pthread keys that a process could still make.

#![expect(unsafe_code, reason = "the C library says it by refusing to make another")]

use libc::pthread_key_t;

/// How many keys this process could still make. It makes them all for a moment: no other
/// thread should want one meanwhile.
pub fn free_keys() -> usize {
    let made: Vec<pthread_key_t> = std::iter::from_fn(|| {
        let mut key = 0;
        // SAFETY: the pointer is valid, and there is no destructor.
        (unsafe { libc::pthread_key_create(&raw mut key, None) } == 0).then_some(key)
    })
    .collect();
    for &key in &made {
        // SAFETY: it was made above, and nothing else knows it.
        let deleted = unsafe { libc::pthread_key_delete(key) };
        assert_eq!(deleted, 0, "a key that was just made can be deleted");
    }
    made.len()
}
