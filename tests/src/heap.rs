//! The heap of this process.

#![expect(unsafe_code, reason = "only the C library knows what all libraries have allocated")]

/// Returns the number of bytes that this process has allocated and not freed, in all libraries:
/// each Rust library has an allocator of its own, which all use the one of the C library.
pub fn heap_in_use() -> u64 {
    // SAFETY: it gives freed memory back to the system, under the allocator's own locks.
    unsafe { libc::malloc_trim(0) };
    // SAFETY: it reads the allocator's own records, under their locks.
    let info = unsafe { libc::mallinfo2() };
    (info.uordblks + info.hblkhd) as u64
}
