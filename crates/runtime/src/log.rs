//! Log lines in Redis's format, to standard output or a file, and to syslog.
//!
//! `PID:ROLE DD Mon YYYY HH:MM:SS.mmm LEVEL message`, local time; the role character comes from the
//! caller (M primary, S replica, C child, X Sentinel), the level is one of `.-*#`. A file is opened,
//! appended to and closed per line, so that tools may rotate it without telling us; each line is
//! one write. What cannot be written is lost: a server does not stop because its log does.
//!
//! One [`Logger`] can be made the process's ([`Logger::make_global`]) for those who cannot be handed
//! one: the crash reporter and signal handlers, which write through [`write_from_handler`] with
//! nothing but system calls. Tests are at the bottom.

use std::ffi::{CStr, CString};
use std::fmt::{self, Write as _};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Level {
    Debug = 0,
    Verbose = 1,
    Notice = 2,
    Warning = 3,
    /// As a threshold: no line at all.
    Nothing = 4,
}

impl Level {
    fn mark(self) -> char {
        match self {
            Level::Debug => '.',
            Level::Verbose => '-',
            Level::Notice => '*',
            Level::Warning | Level::Nothing => '#',
        }
    }

    fn syslog_priority(self) -> libc::c_int {
        match self {
            Level::Debug => libc::LOG_DEBUG,
            Level::Verbose => libc::LOG_INFO,
            Level::Notice => libc::LOG_NOTICE,
            Level::Warning | Level::Nothing => libc::LOG_WARNING,
        }
    }
}

/// A syslog facility, by the names that configuration files use.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Facility(libc::c_int);

impl Facility {
    pub fn from_name(name: &str) -> Option<Facility> {
        Some(Facility(match name.to_ascii_lowercase().as_str() {
            "user" => libc::LOG_USER,
            "local0" => libc::LOG_LOCAL0,
            "local1" => libc::LOG_LOCAL1,
            "local2" => libc::LOG_LOCAL2,
            "local3" => libc::LOG_LOCAL3,
            "local4" => libc::LOG_LOCAL4,
            "local5" => libc::LOG_LOCAL5,
            "local6" => libc::LOG_LOCAL6,
            "local7" => libc::LOG_LOCAL7,
            _ => return None,
        }))
    }
}

#[derive(Clone, Debug)]
pub struct LogConfig<'a> {
    pub level: Level,
    /// None: standard output.
    pub file: Option<&'a Path>,
    /// The ident and the facility, when lines go to syslog as well.
    pub syslog: Option<(&'a str, Facility)>,
}

#[derive(Debug)]
pub struct Logger {
    threshold: AtomicU8,
    /// None: standard output. A C string, because signal handlers open it too.
    file: Option<CString>,
    syslog: bool,
}

static GLOBAL: OnceLock<Logger> = OnceLock::new();

/// The logger that was made the process's, if any.
pub fn global() -> Option<&'static Logger> {
    GLOBAL.get()
}

impl Logger {
    /// Fails when the file cannot be opened for appending.
    pub fn new(config: &LogConfig<'_>) -> io::Result<Logger> {
        let file = match config.file {
            Some(path) => Some(CString::new(path.as_os_str().as_encoded_bytes())?),
            None => None,
        };
        if let Some(path) = &file {
            open_for_append(path)?;
        }
        if let Some((ident, facility)) = config.syslog {
            open_syslog(ident, facility)?;
        }
        let threshold = AtomicU8::new(config.level as u8);
        Ok(Logger {
            threshold,
            file,
            syslog: config.syslog.is_some(),
        })
    }

    /// Lends it to the whole process, for ever. Gives it back when there is one already.
    pub fn make_global(self) -> Result<&'static Logger, Logger> {
        GLOBAL.set(self)?;
        Ok(GLOBAL.get().expect("it has just been set"))
    }

    #[inline]
    pub fn is_enabled(&self, level: Level) -> bool {
        level as u8 >= self.threshold.load(Ordering::Relaxed)
    }

    pub fn set_level(&self, threshold: Level) {
        self.threshold.store(threshold as u8, Ordering::Relaxed);
    }

    /// Writes a line if its level reaches the threshold.
    pub fn log(&self, level: Level, role: char, message: fmt::Arguments<'_>) {
        if !self.is_enabled(level) {
            return;
        }
        let mut line = format!("{}:{role} ", std::process::id());
        push_local_time(&mut line, SystemTime::now());
        let _ = write!(line, " {} ", level.mark());
        let message_start = line.len();
        let _ = writeln!(line, "{message}");
        self.write(line.as_bytes());
        if self.syslog {
            send_to_syslog(level, line[message_start..].trim_end());
        }
    }

    /// Writes text as it is, whatever the threshold.
    pub fn raw(&self, text: &str) {
        self.write(text.as_bytes());
    }

    fn write(&self, bytes: &[u8]) {
        match &self.file {
            None => write_all(rustix::stdio::stdout(), bytes),
            Some(path) => {
                if let Ok(file) = open_for_append(path) {
                    write_all(file.as_fd(), bytes);
                }
            }
        }
    }
}

/// Writes `PID:signal-handler (SECONDS) message` to the process's log, or to standard output.
/// May be called from a signal handler: it makes system calls and touches only the stack.
pub(crate) fn write_from_handler(message: &[u8]) {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let mut line = StackText::<1024>::new();
    let _ = write!(line, "{}:signal-handler ({seconds}) ", std::process::id());
    line.push(message);
    line.push(b"\n");
    write_raw_from_handler(line.as_bytes());
}

/// Writes bytes as they are to the process's log. May be called from a signal handler.
pub(crate) fn write_raw_from_handler(bytes: &[u8]) {
    with_fd_from_handler(|fd| write_all(fd, bytes));
}

/// Calls `use_fd` with a descriptor of the process's log. May be called from a signal handler.
pub(crate) fn with_fd_from_handler(use_fd: impl FnOnce(BorrowedFd<'_>)) {
    match GLOBAL.get().and_then(|logger| logger.file.as_deref()) {
        Some(path) => {
            if let Ok(file) = open_for_append(path) {
                use_fd(file.as_fd());
            }
        }
        None => use_fd(rustix::stdio::stdout()),
    }
}

fn open_for_append(path: &CStr) -> rustix::io::Result<rustix::fd::OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::from_raw_mode(0o644))
}

fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(n) if n > 0 => bytes = &bytes[n..],
            Err(rustix::io::Errno::INTR) => {}
            _ => return,
        }
    }
}

/// Text of bounded length without an allocation; what does not fit is cut off.
pub(crate) struct StackText<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> StackText<N> {
    pub fn new() -> Self {
        StackText {
            bytes: [0; N],
            len: 0,
        }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        let n = bytes.len().min(N - self.len);
        self.bytes[self.len..self.len + n].copy_from_slice(&bytes[..n]);
        self.len += n;
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl<const N: usize> fmt::Write for StackText<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

/// Appends `DD Mon YYYY HH:MM:SS.mmm`.
fn push_local_time(line: &mut String, time: SystemTime) {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = libc::time_t::try_from(since.as_secs()).unwrap_or(0);
    // SAFETY: zeroes are a valid `tm` (numbers and a pointer that may be null); `localtime_r` reads
    // the seconds and writes the `tm`, both alive here, and leaves it alone when it fails.
    let tm = unsafe {
        let mut tm: libc::tm = std::mem::zeroed();
        libc::localtime_r(&seconds, &mut tm);
        tm
    };
    let month = usize::try_from(tm.tm_mon)
        .ok()
        .and_then(|month| MONTHS.get(month));
    let _ = write!(
        line,
        "{:02} {} {:04} {:02}:{:02}:{:02}.{:03}",
        tm.tm_mday,
        month.unwrap_or(&"???"),
        i64::from(tm.tm_year) + 1900,
        tm.tm_hour,
        tm.tm_min,
        tm.tm_sec,
        since.subsec_millis(),
    );
}

fn open_syslog(ident: &str, facility: Facility) -> io::Result<()> {
    // The C library keeps the pointer for as long as the process logs.
    let ident: &'static CStr = Box::leak(CString::new(ident)?.into_boxed_c_str());
    let options = libc::LOG_PID | libc::LOG_NDELAY | libc::LOG_NOWAIT;
    // SAFETY: `ident` is a C string that is never freed.
    unsafe { libc::openlog(ident.as_ptr(), options, facility.0) };
    Ok(())
}

fn send_to_syslog(level: Level, message: &str) {
    // A C string ends at its first zero byte; show that there was more.
    let Ok(message) = CString::new(message.replace('\0', "\\0")) else {
        return;
    };
    // SAFETY: both are C strings, alive for the call, and the format takes exactly one string.
    unsafe { libc::syslog(level.syslog_priority(), c"%s".as_ptr(), message.as_ptr()) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::time::Duration;

    struct TempFile(PathBuf);

    impl TempFile {
        fn new(name: &str) -> TempFile {
            let name = format!("runtime-log-{}-{name}", std::process::id());
            TempFile(std::env::temp_dir().join(name))
        }

        fn text(&self) -> String {
            std::fs::read_to_string(&self.0).expect("the log can be read")
        }
    }

    impl Drop for TempFile {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn logger(level: Level, file: &TempFile) -> Logger {
        Logger::new(&LogConfig {
            level,
            file: Some(&file.0),
            syslog: None,
        })
        .expect("opens")
    }

    /// Replaces digits by 9 and letters of the month by A, so that a line can be compared.
    fn shape(line: &str) -> String {
        let shape_of = |c: char| if c.is_ascii_digit() { '9' } else { c };
        let (head, message) = line.split_at(line.find(['.', '-', '*', '#']).unwrap_or(line.len()));
        head.chars().map(shape_of).collect::<String>() + message
    }

    #[test]
    fn a_line_has_the_format_of_redis() {
        let file = TempFile::new("format");
        let logger = logger(Level::Debug, &file);
        for (level, role) in [
            (Level::Debug, 'M'),
            (Level::Verbose, 'S'),
            (Level::Notice, 'C'),
            (Level::Warning, 'X'),
        ] {
            logger.log(level, role, format_args!("hello {}", 5));
        }
        let text = file.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        for (line, (role, mark)) in
            lines
                .iter()
                .zip([('M', '.'), ('S', '-'), ('C', '*'), ('X', '#')])
        {
            let prefix = format!("{}:{role} ", std::process::id());
            let rest = line
                .strip_prefix(&prefix)
                .expect("starts with pid and role");
            let fields: Vec<&str> = rest.splitn(6, ' ').collect();
            let [day, month, year, time, level, message] = fields[..] else {
                unreachable!("six fields in {rest}")
            };
            assert_eq!((day.len(), month.len(), year.len()), (2, 3, 4), "{line}");
            assert_eq!(shape(time), "99:99:99.".to_owned() + &time[9..], "{line}");
            assert_eq!(time.len(), 12, "{line}");
            assert_eq!(level, mark.to_string());
            assert_eq!(message, "hello 5");
        }
    }

    #[test]
    fn lines_below_the_threshold_are_not_written() {
        let file = TempFile::new("threshold");
        let logger = logger(Level::Notice, &file);
        logger.log(Level::Verbose, 'M', format_args!("quiet"));
        logger.log(Level::Notice, 'M', format_args!("heard"));
        logger.set_level(Level::Nothing);
        logger.log(Level::Warning, 'M', format_args!("quiet"));
        logger.set_level(Level::Debug);
        logger.log(Level::Debug, 'M', format_args!("heard"));
        logger.raw("raw\n");
        let text = file.text();
        assert_eq!(text.matches("heard").count(), 2);
        assert!(
            !text.contains("quiet") && text.ends_with("\nraw\n"),
            "{text}"
        );
    }

    #[test]
    fn a_rotated_file_is_opened_anew() {
        let (file, rotated) = (TempFile::new("rotate"), TempFile::new("rotated"));
        let logger = logger(Level::Notice, &file);
        logger.log(Level::Notice, 'M', format_args!("before"));
        std::fs::rename(&file.0, &rotated.0).expect("rename");
        logger.log(Level::Notice, 'M', format_args!("after"));
        assert!(rotated.text().ends_with("before\n"));
        assert!(file.text().ends_with("after\n") && !file.text().contains("before"));
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_an_error() {
        let path = Path::new("/nonexistent-directory/log");
        let config = LogConfig {
            level: Level::Notice,
            file: Some(path),
            syslog: None,
        };
        assert_eq!(
            Logger::new(&config).expect_err("no such directory").kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn facilities_have_the_names_of_the_configuration() {
        assert_eq!(
            Facility::from_name("LOCAL0"),
            Some(Facility(libc::LOG_LOCAL0))
        );
        assert_eq!(Facility::from_name("user"), Some(Facility(libc::LOG_USER)));
        assert_eq!(Facility::from_name("local8"), None);
    }

    #[test]
    fn the_time_has_two_digit_days_and_three_digit_milliseconds() {
        let mut line = String::new();
        push_local_time(
            &mut line,
            UNIX_EPOCH + Duration::from_millis(86_400_000 * 40 + 7),
        );
        // Between 9 and 11 February 1970, wherever this runs.
        assert!(
            line.contains(" Feb 1970 ") && line.ends_with(".007"),
            "{line}"
        );
        assert_eq!(line.len(), "10 Feb 1970 00:00:00.007".len());
    }

    #[test]
    fn stack_text_cuts_what_does_not_fit() {
        let mut text = StackText::<8>::new();
        write!(text, "12345").expect("never fails");
        write!(text, "67890").expect("never fails");
        assert_eq!(text.as_bytes(), b"12345678");
    }
}
