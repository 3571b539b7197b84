//! Each side on the allocator that it comes with.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fs::File,
    io::Read as _,
    sync::atomic::{AtomicU8, Ordering},
};

use mimalloc::MiMalloc;

/// The system's, for a process that serves [`Side::Defaults`](crate::sides::Side); otherwise
/// mimalloc, as the server has it.
pub(crate) struct OfTheSide;

const NOT_PICKED: u8 = 0;
const MIMALLOC: u8 = 1;
const SYSTEM: u8 = 2;

static PICKED: AtomicU8 = AtomicU8::new(NOT_PICKED);

/// The side that has the system's allocator, as an argument of the process.
const FOR_SYSTEM: &[u8] = b"--serve\0defaults\0";

/// Picked with the first allocation, which comes before `main`: what one has allocated, the other
/// must not free.
fn is_system() -> bool {
    match PICKED.load(Ordering::Relaxed) {
        NOT_PICKED => pick(),
        picked => picked == SYSTEM,
    }
}

/// Allocates nothing, or it would not end.
#[cold]
fn pick() -> bool {
    let mut command_line = [0; 4_096];
    let read = File::open("/proc/self/cmdline").and_then(|mut file| file.read(&mut command_line));
    let is_system = read.is_ok()
        && command_line
            .windows(FOR_SYSTEM.len())
            .any(|window| window == FOR_SYSTEM);
    PICKED.store(if is_system { SYSTEM } else { MIMALLOC }, Ordering::Relaxed);
    is_system
}

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe; this one hands every call on as it came"
)]
// SAFETY: one of two allocators answers every call of a process.
unsafe impl GlobalAlloc for OfTheSide {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_system() {
            unsafe { System.alloc(layout) }
        } else {
            unsafe { MiMalloc.alloc(layout) }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_system() {
            unsafe { System.alloc_zeroed(layout) }
        } else {
            unsafe { MiMalloc.alloc_zeroed(layout) }
        }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if is_system() {
            unsafe { System.realloc(at, layout, new_size) }
        } else {
            unsafe { MiMalloc.realloc(at, layout, new_size) }
        }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if is_system() {
            unsafe { System.dealloc(at, layout) }
        } else {
            unsafe { MiMalloc.dealloc(at, layout) }
        }
    }
}
