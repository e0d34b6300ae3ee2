//! Telling a supervisor how we are: systemd's notification socket, upstart's stop.
//!
//! Which one is asked for comes from the configuration; "auto" looks at what the environment
//! offers, upstart first. A supervisor that was asked for but is not there is an error to be
//! logged, and no reason not to start.
//!
//! Tests: `tests/process_modes.rs` (upstart), and at the bottom.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Supervision {
    None,
    Auto,
    Systemd,
    Upstart,
}

/// Who supervises the process.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Supervisor {
    Systemd,
    Upstart,
}

impl Supervision {
    /// Who is asked for, given what there is; none when nobody is.
    pub fn resolve(self) -> Option<Supervisor> {
        match self {
            Supervision::None => None,
            Supervision::Systemd => Some(Supervisor::Systemd),
            Supervision::Upstart => Some(Supervisor::Upstart),
            Supervision::Auto if env::var_os("UPSTART_JOB").is_some() => Some(Supervisor::Upstart),
            Supervision::Auto => env::var_os("NOTIFY_SOCKET").map(|_| Supervisor::Systemd),
        }
    }
}

impl Supervisor {
    /// Reports for supervision. `status` is what systemd shows until the next one. Upstart takes
    /// the stop that happens here as readiness, and lets the process go on. Call it before the
    /// first thread is started.
    pub fn attach(self, status: &str) -> io::Result<()> {
        match self {
            Supervisor::Systemd => notify_systemd(&format!("STATUS={status}\n")),
            Supervisor::Upstart => {
                if env::var_os("UPSTART_JOB").is_none() {
                    return Err(io::Error::other("UPSTART_JOB not found"));
                }
                let this = rustix::process::getpid();
                rustix::process::kill_process(this, rustix::process::Signal::STOP)?;
                if super::require_single_thread().is_ok() {
                    // SAFETY: there is one thread, so nobody reads the environment meanwhile.
                    unsafe { env::remove_var("UPSTART_JOB") };
                }
                Ok(())
            }
        }
    }
}

/// Sends lines such as `READY=1`, `STATUS=...` and `STOPPING=1` to systemd. An error when there is
/// no `NOTIFY_SOCKET`.
pub fn notify_systemd(lines: &str) -> io::Result<()> {
    let path = env::var_os("NOTIFY_SOCKET")
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "NOTIFY_SOCKET not found"))?;
    send_notification(&path, lines)
}

fn send_notification(path: &OsStr, lines: &str) -> io::Result<()> {
    let address = match path.as_bytes() {
        // An abstract name, written with an at sign for the zero byte it starts with.
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(path)?,
    };
    let sent = UnixDatagram::unbound()?.send_to_addr(lines.as_bytes(), &address)?;
    if sent == lines.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::WriteZero.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 256];
        let n = socket.recv(&mut bytes).expect("receives");
        String::from_utf8_lossy(&bytes[..n]).into_owned()
    }

    #[test]
    fn systemd_is_told_through_a_path() {
        let name = format!("runtime-notify-{}", std::process::id());
        let path = env::temp_dir().join(name);
        let socket = UnixDatagram::bind(&path).expect("binds");
        send_notification(path.as_os_str(), "READY=1\nSTATUS=up\n").expect("sends");
        assert_eq!(receive(&socket), "READY=1\nSTATUS=up\n");
        std::fs::remove_file(&path).expect("removes");
        assert!(send_notification(path.as_os_str(), "READY=1").is_err());
    }

    #[test]
    fn systemd_is_told_through_an_abstract_name() {
        let name = format!("runtime-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("an address");
        let socket = UnixDatagram::bind_addr(&address).expect("binds");
        send_notification(OsStr::new(&format!("@{name}")), "STOPPING=1").expect("sends");
        assert_eq!(receive(&socket), "STOPPING=1");
    }

    #[test]
    fn without_supervision_there_is_no_supervisor() {
        assert_eq!(Supervision::None.resolve(), None);
        assert_eq!(Supervision::Systemd.resolve(), Some(Supervisor::Systemd));
        assert_eq!(Supervision::Upstart.resolve(), Some(Supervisor::Upstart));
    }
}
