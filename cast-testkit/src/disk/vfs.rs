//! The VFS: the one place of the project with `unsafe`.
//!
//! SQLite calls a VFS through tables of C functions, and there is no safe interface to write one. The file
//! is short, passes every call on to the system's VFS, and keeps all that it notes in safe code (`state`).
//!
//! What all of it relies on, as <https://sqlite.org/c3ref/vfs.html> promises: SQLite passes the pointers
//! that it got from this file, to memory of at least the size that was asked for, and uses a file from
//! one thread at a time, between `xOpen` and `xClose`.
#![allow(
    unsafe_code,
    reason = "a VFS is a table of C functions; each block says why it is sound"
)]

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    io,
    mem::size_of,
    path::{Path, PathBuf},
    ptr, slice,
    sync::Arc,
};

use libsqlite3_sys as sqlite;
use parking_lot::Mutex;

use super::state::{Fault, IoCall, State};
use crate::{Seed, SeededEntropy};

/// A disk that loses what was not synced. A database is opened on it with `?vfs=` and its name.
///
/// Its VFS stays registered until the process ends.
pub struct Disk {
    name: String,
    state: Arc<Mutex<State>>,
}

/// What SQLite knows as the VFS; our part follows SQLite's.
#[repr(C)]
struct Vfs {
    table: sqlite::sqlite3_vfs,
    system: *mut sqlite::sqlite3_vfs,
    state: Arc<Mutex<State>>,
    _name: CString,
}

/// What SQLite knows as a file; the system's file follows it in memory.
#[repr(C)]
struct File {
    methods: *const sqlite::sqlite3_io_methods,
    /// Of the file itself; `None` for a temporary one, which nothing is noted of.
    noted: Option<Box<(Arc<Mutex<State>>, PathBuf)>>,
}

/// The bytes of `File`, so rounded that the system's file is aligned.
const FILE_BYTES: usize = size_of::<File>().next_multiple_of(16);

impl Disk {
    /// A new disk, which keeps everything until it is asked not to.
    #[expect(clippy::new_without_default, reason = "each is registered for ever")]
    pub fn new() -> Self {
        let name = format!("cast-disk-{:016x}", Seed::random().get());
        let state = Arc::new(Mutex::new(State::default()));
        register(&name, Arc::clone(&state));
        Self { name, state }
    }

    /// The name of its VFS.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many calls have changed it or tried to.
    pub fn calls(&self) -> u64 {
        self.state.lock().calls
    }

    /// Meets so many calls with a fault, from call number `from` on, counted from 0.
    pub fn plan(&self, from: u64, calls: u64, fault: Fault) {
        self.state.lock().plan = Some((from, calls, fault));
    }

    /// Ends the faults. After a power cut there is no end.
    pub fn recover(&self) {
        self.state.lock().plan = None;
    }

    /// Says of each sync that it was done, and does none.
    pub fn ignore_syncs(&self) {
        self.state.lock().ignores_syncs = true;
    }

    /// Writes what a power cut may leave of the folder `from` into the empty folder `to`.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or written.
    pub fn after_a_power_cut(
        &self,
        from: &Path,
        to: &Path,
        random: &SeededEntropy,
    ) -> io::Result<()> {
        self.state.lock().leave(from, to, random)
    }
}

fn register(name: &str, state: Arc<Mutex<State>>) {
    let name = CString::new(name).expect("a name without NUL");
    // SAFETY: SQLite initialises itself, and returns its default VFS, which lives as long as the process.
    let system = unsafe {
        sqlite::sqlite3_initialize();
        sqlite::sqlite3_vfs_find(ptr::null())
    };
    assert!(!system.is_null(), "SQLite has a VFS of the system");
    // SAFETY: the default VFS is a valid table. Its functions other than `xOpen` and `xDelete` do not use
    // the table that they are called with, so a copy may stand for it.
    let mut table = unsafe { *system };
    table.szOsFile += c_int::try_from(FILE_BYTES).expect("a few bytes");
    table.zName = name.as_ptr();
    table.pNext = ptr::null_mut();
    table.xOpen = Some(open);
    table.xDelete = Some(delete);
    let vfs = Box::leak(Box::new(Vfs {
        table,
        system,
        state,
        _name: name,
    }));
    // SAFETY: the table is valid and is never freed, nor is the name in it.
    let registered = unsafe { sqlite::sqlite3_vfs_register(&raw mut vfs.table, 0) };
    assert_eq!(registered, sqlite::SQLITE_OK, "SQLite takes a VFS");
}

/// The path of a name that SQLite passes.
///
/// # Safety
///
/// `name` must end with NUL and live as long as `'a`.
unsafe fn path<'a>(name: *const c_char) -> &'a Path {
    // SAFETY: as the caller promises.
    let name = unsafe { CStr::from_ptr(name) };
    Path::new(name.to_str().expect("the tests use UTF-8"))
}

unsafe extern "C" fn open(
    vfs: *mut sqlite::sqlite3_vfs,
    name: sqlite::sqlite3_filename,
    file: *mut sqlite::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes the table that was registered, which is the first field of a `Vfs`.
    let vfs = unsafe { &*vfs.cast::<Vfs>() };
    // SAFETY: `szOsFile` asked for `FILE_BYTES` and the system's own. SQLite has not initialised it.
    let system_file = unsafe {
        file.cast::<File>().write(File {
            methods: ptr::null(),
            noted: None,
        });
        beneath(file)
    };
    // SAFETY: the system's own function, with its own table and memory of the size it asked for.
    let opened = unsafe {
        (*vfs.system).xOpen.expect("a VFS opens")(vfs.system, name, system_file, flags, out_flags)
    };
    if opened != sqlite::SQLITE_OK {
        return opened;
    }
    let noted = (!name.is_null()).then(|| {
        // SAFETY: SQLite's names end with NUL, and live until the file is closed.
        let path = unsafe { path(name) };
        vfs.state.lock().opened(path);
        Box::new((Arc::clone(&vfs.state), path.to_owned()))
    });
    // SAFETY: as above; the file was initialised by the first write.
    unsafe {
        file.cast::<File>().write(File {
            methods: &raw const METHODS,
            noted,
        });
    }
    sqlite::SQLITE_OK
}

unsafe extern "C" fn delete(
    vfs: *mut sqlite::sqlite3_vfs,
    name: *const c_char,
    sync_folder: c_int,
) -> c_int {
    // SAFETY: as in `open`.
    let (vfs, path) = unsafe { (&*vfs.cast::<Vfs>(), path(name)) };
    if let Some(code) = failed(&vfs.state, IoCall::Delete, sqlite::SQLITE_IOERR_DELETE) {
        return code;
    }
    // SAFETY: the system's own function, with its own table.
    let deleted =
        unsafe { (*vfs.system).xDelete.expect("a VFS deletes")(vfs.system, name, sync_folder) };
    if deleted == sqlite::SQLITE_OK {
        vfs.state.lock().deleted(path, sync_folder != 0);
    }
    deleted
}

/// The code of the fault that a call meets.
fn failed(state: &Mutex<State>, call: IoCall, code: c_int) -> Option<c_int> {
    let fault = state.lock().fault_of(call)?;
    match fault {
        Fault::Full => Some(sqlite::SQLITE_FULL),
        Fault::Error | Fault::PowerCut => Some(code),
        Fault::Abort => std::process::abort(),
    }
}

/// The system's file, which follows ours.
///
/// # Safety
///
/// `file` must be one that SQLite passes to this VFS.
unsafe fn beneath(file: *mut sqlite::sqlite3_file) -> *mut sqlite::sqlite3_file {
    // SAFETY: `szOsFile` asked for the system's file after `FILE_BYTES`.
    unsafe { file.byte_add(FILE_BYTES) }
}

/// Calls the system's function of the same name on its file.
macro_rules! pass {
    ($file:ident . $method:ident ( $($argument:expr),* )) => {{
        // SAFETY: the system opened the file beneath, and set its functions; SQLite passes the arguments
        // that they expect.
        unsafe {
            let beneath = beneath($file);
            (*(*beneath).pMethods).$method.expect("the system has it")(beneath $(, $argument)*)
        }
    }};
}

/// What is noted of a file.
///
/// # Safety
///
/// `file` must be open, and used by this thread alone.
unsafe fn noted<'a>(file: *mut sqlite::sqlite3_file) -> Option<&'a (Arc<Mutex<State>>, PathBuf)> {
    // SAFETY: `open` wrote a `File` there, and `close` has not dropped it yet.
    unsafe { (*file.cast::<File>()).noted.as_deref() }
}

unsafe extern "C" fn close(file: *mut sqlite::sqlite3_file) -> c_int {
    let closed = pass!(file.xClose());
    // SAFETY: `open` wrote it, and SQLite closes a file once.
    unsafe { ptr::drop_in_place(file.cast::<File>()) };
    closed
}

unsafe extern "C" fn read(
    file: *mut sqlite::sqlite3_file,
    to: *mut c_void,
    bytes: c_int,
    at: i64,
) -> c_int {
    pass!(file.xRead(to, bytes, at))
}

unsafe extern "C" fn write(
    file: *mut sqlite::sqlite3_file,
    from: *const c_void,
    bytes: c_int,
    at: i64,
) -> c_int {
    // SAFETY: SQLite writes to open files only.
    let noted = unsafe { noted(file) };
    if let Some((state, path)) = noted {
        if let Some(code) = failed(state, IoCall::Write, sqlite::SQLITE_IOERR_WRITE) {
            return code;
        }
        let len = usize::try_from(bytes).expect("a length");
        // SAFETY: SQLite passes so many bytes.
        let written = unsafe { slice::from_raw_parts(from.cast::<u8>(), len) };
        let offset = usize::try_from(at).expect("an offset");
        state.lock().written(path, offset, written);
    }
    pass!(file.xWrite(from, bytes, at))
}

unsafe extern "C" fn truncate(file: *mut sqlite::sqlite3_file, size: i64) -> c_int {
    // SAFETY: as in `write`.
    let noted = unsafe { noted(file) };
    if let Some((state, path)) = noted {
        if let Some(code) = failed(state, IoCall::Truncate, sqlite::SQLITE_IOERR_TRUNCATE) {
            return code;
        }
        let len = usize::try_from(size).expect("a length");
        state.lock().truncated(path, len);
    }
    pass!(file.xTruncate(size))
}

/// Nothing is really synced: what is on the disk is noted, and no test cuts the power of this machine.
unsafe extern "C" fn sync(file: *mut sqlite::sqlite3_file, flags: c_int) -> c_int {
    let _ = flags;
    // SAFETY: as in `write`.
    if let Some((state, path)) = unsafe { noted(file) } {
        if let Some(code) = failed(state, IoCall::Sync, sqlite::SQLITE_IOERR_FSYNC) {
            state.lock().dropped(path);
            return code;
        }
        state.lock().synced(path);
    }
    sqlite::SQLITE_OK
}

unsafe extern "C" fn file_size(file: *mut sqlite::sqlite3_file, size: *mut i64) -> c_int {
    pass!(file.xFileSize(size))
}

unsafe extern "C" fn lock(file: *mut sqlite::sqlite3_file, kind: c_int) -> c_int {
    pass!(file.xLock(kind))
}

unsafe extern "C" fn unlock(file: *mut sqlite::sqlite3_file, kind: c_int) -> c_int {
    pass!(file.xUnlock(kind))
}

unsafe extern "C" fn is_reserved(file: *mut sqlite::sqlite3_file, out: *mut c_int) -> c_int {
    pass!(file.xCheckReservedLock(out))
}

unsafe extern "C" fn control(
    file: *mut sqlite::sqlite3_file,
    operation: c_int,
    argument: *mut c_void,
) -> c_int {
    pass!(file.xFileControl(operation, argument))
}

unsafe extern "C" fn sector_size(file: *mut sqlite::sqlite3_file) -> c_int {
    pass!(file.xSectorSize())
}

unsafe extern "C" fn characteristics(file: *mut sqlite::sqlite3_file) -> c_int {
    pass!(file.xDeviceCharacteristics())
}

unsafe extern "C" fn map_shared(
    file: *mut sqlite::sqlite3_file,
    page: c_int,
    page_bytes: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    pass!(file.xShmMap(page, page_bytes, extend, out))
}

unsafe extern "C" fn lock_shared(
    file: *mut sqlite::sqlite3_file,
    offset: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    pass!(file.xShmLock(offset, count, flags))
}

unsafe extern "C" fn shared_barrier(file: *mut sqlite::sqlite3_file) {
    pass!(file.xShmBarrier());
}

unsafe extern "C" fn unmap_shared(file: *mut sqlite::sqlite3_file, delete: c_int) -> c_int {
    pass!(file.xShmUnmap(delete))
}

/// Version 2: without memory maps, through which writes would pass unseen.
static METHODS: sqlite::sqlite3_io_methods = sqlite::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(is_reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(map_shared),
    xShmLock: Some(lock_shared),
    xShmBarrier: Some(shared_barrier),
    xShmUnmap: Some(unmap_shared),
    xFetch: None,
    xUnfetch: None,
};
