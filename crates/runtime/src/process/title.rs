//! The title that `ps` shows, written over the memory that held the arguments.
//!
//! ```text
//! arg_start          arg_end = env_start             env_end
//! | argv[0]\0 argv[1]\0 ... | NAME=value\0 NAME=value\0 ... |
//! | title ................................... \0\0\0\0\0\0\0 |
//! ```
//!
//! Arguments alone are often too short, so the environment behind them is used as well, after its
//! strings have been moved to the heap. Linux shows text beyond `arg_end` once the byte before it is
//! not zero. After [`init_title`], the program's arguments read as the title: collect them first.
//!
//! Tests: `tests/process_modes.rs`, because it needs a process with one thread.

use std::ffi::{CStr, CString, c_char};
use std::io;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// The memory that titles go to, once it has been freed of its old content.
static AREA: Mutex<Range<usize>> = Mutex::new(0..0);

unsafe extern "C" {
    static mut environ: *mut *mut c_char;
}

/// Makes room for titles. Before the first thread is started, and after the arguments were read.
pub fn init_title() -> io::Result<()> {
    super::require_single_thread()?;
    let mut area = AREA.lock().unwrap_or_else(PoisonError::into_inner);
    if !area.is_empty() {
        return Ok(());
    }
    let found = find_area()?;
    move_environment(&found);
    *area = found;
    Ok(())
}

/// Shows `title` in `ps`, cut to what fits, and its first word as the thread's name.
pub fn set_title(title: &str) {
    let word = title.split(' ').next().unwrap_or_default();
    let name = word.rsplit('/').next().unwrap_or_default();
    if let Ok(name) = CString::new(name) {
        // The kernel cuts it to 15 bytes; failing would only mean the old name.
        let _ = rustix::thread::set_name(&name);
    }
    let area = AREA.lock().unwrap_or_else(PoisonError::into_inner);
    if area.is_empty() {
        return;
    }
    // The last byte stays zero, so that every old string still ends within the area.
    let used = title.len().min(area.len() - 1);
    let start = std::ptr::with_exposed_provenance_mut::<u8>(area.start);
    // SAFETY: the area is this process's argument and environment strings, writable and mapped for
    // its whole life, owned by no Rust object. The lock keeps other writers out. Whoever still reads
    // the arguments finds terminated strings (the last byte is never written).
    unsafe {
        std::ptr::copy_nonoverlapping(title.as_ptr(), start, used);
        start.add(used).write_bytes(0, area.len() - used);
    }
}

/// Where the kernel put the arguments and the environment.
fn find_area() -> io::Result<Range<usize>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    parse_area(&stat)
        .ok_or_else(|| io::Error::other("the kernel does not say where the arguments are"))
}

fn parse_area(stat: &str) -> Option<Range<usize>> {
    // The second field, the name in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    // Fields are counted from 1, and the third comes first here.
    let field = |number: usize| {
        fields
            .split_ascii_whitespace()
            .nth(number - 3)?
            .parse()
            .ok()
    };
    let (arg_start, arg_end): (usize, usize) = (field(48)?, field(49)?);
    let (env_start, env_end): (usize, usize) = (field(50)?, field(51)?);
    let ordered = 0 < arg_start && arg_start < arg_end && arg_end <= env_end;
    let end = if env_start == arg_end {
        env_end
    } else {
        arg_end
    };
    ordered.then_some(arg_start..end)
}

/// Replaces the environment's strings that lie in `area` by copies that live for ever.
fn move_environment(area: &Range<usize>) {
    // SAFETY: there is one thread (the caller has checked), so nobody else reads or changes
    // `environ`, which is null or an array of C strings that ends with a null. Each string that is
    // replaced was put there by the kernel, so nobody else will free it; the copy is leaked.
    unsafe {
        let mut entry = environ;
        while !entry.is_null() && !(*entry).is_null() {
            if area.contains(&(*entry).addr()) {
                *entry = CStr::from_ptr(*entry).to_owned().into_raw();
            }
            entry = entry.add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_is_read_behind_a_name_with_parentheses_and_spaces() {
        let fields: Vec<String> = (3..=52).map(|n| (n * 1000).to_string()).collect();
        let stat = |env_start| {
            let text = format!("7 (a) b (c) {}", fields.join(" "));
            text.replace("50000", env_start)
        };
        assert_eq!(parse_area(&stat("49000")), Some(48_000..51_000));
        assert_eq!(parse_area(&stat("50000")), Some(48_000..49_000));
        assert_eq!(parse_area("7 (a) S 1 2"), None);
        assert_eq!(parse_area(""), None);
    }
}
