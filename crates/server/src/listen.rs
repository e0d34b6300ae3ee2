//! Listening sockets, and who may come in.
//!
//! Refusals are written to a connection before it becomes a session, so that a flood of them costs
//! no memory. Tests: at the bottom, `tests/start_options.rs`.

use crate::error_text;
use crate::load::path_of;
use config::Config;
use engine::{ConnInfo, Engine};
use runtime::address::Address;
use runtime::log::{Level, Logger};
use runtime::reactor::{ConnId, ListenerId, Reactor};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

/// The sockets the server listens on.
#[derive(Default)]
pub struct Listeners {
    pub tcp: Vec<(ListenerId, String)>,
    pub unix: Option<(ListenerId, PathBuf)>,
}

/// Opens everything the configuration asks for. Failing on one required address fails the start.
pub fn open_all(
    reactor: &mut Reactor,
    config: &Config,
    logger: &Logger,
) -> Result<Listeners, String> {
    let mut listeners = Listeners::default();
    if config.port != 0 {
        listeners.tcp = open_tcp(reactor, config, logger).map_err(|Refused| {
            format!("Failed listening on port {} (tcp), aborting.", config.port)
        })?;
    }
    let path = config.unixsocket.as_bytes();
    if !path.is_empty() {
        let path = path_of(path);
        let id = reactor
            .listen_unix(&path, config.unixsocketperm, backlog(config))
            .map_err(|e| format!("Failed opening Unix socket: bind: {}", error_text(&e)))?;
        // `dir` may change; INFO and the title go on naming the same file.
        listeners.unix = Some((id, path));
    }
    if listeners.tcp.is_empty() && listeners.unix.is_none() {
        return Err("Configured to not listen anywhere, exiting.".into());
    }
    Ok(listeners)
}

/// An address could not be listened on; the log says which and why.
#[derive(Debug)]
pub struct Refused;

/// Opens all `bind` addresses on `port`, or none. An address with a leading dash may be missing on
/// this machine, and so may a whole family of addresses; `*` and `::*` stand for all of a family.
pub fn open_tcp(
    reactor: &mut Reactor,
    config: &Config,
    logger: &Logger,
) -> Result<Vec<(ListenerId, String)>, Refused> {
    let mut opened = Vec::new();
    for name in &config.bind {
        let (optional, host) = match name.strip_prefix('-') {
            Some(host) => (true, host),
            None => (false, name.as_str()),
        };
        let listening = address_of(host, config.port)
            .and_then(|address| reactor.listen_tcp(address, backlog(config)));
        match listening {
            Ok(id) => opened.push((id, host.to_string())),
            Err(error) => {
                logger.log(
                    Level::Warning,
                    'M',
                    format_args!(
                        "Warning: Could not create server TCP listening socket {host}:{}: bind: {}",
                        config.port,
                        error_text(&error)
                    ),
                );
                if may_be_missing(&error, optional) {
                    continue;
                }
                for (id, _) in opened {
                    reactor.close_listener(id);
                }
                return Err(Refused);
            }
        }
    }
    Ok(opened)
}

fn backlog(config: &Config) -> i32 {
    i32::try_from(config.tcp_backlog).unwrap_or(i32::MAX)
}

/// The kernel cuts a backlog to its own limit without a word, so this says it.
pub fn warn_of_backlog(config: &Config, logger: &Logger) {
    const LIMIT_FILE: &str = "/proc/sys/net/core/somaxconn";
    let text = std::fs::read_to_string(LIMIT_FILE).unwrap_or_default();
    let Ok(limit) = text.trim().parse::<u32>() else {
        return;
    };
    if limit > 0 && limit < config.tcp_backlog {
        logger.log(
            Level::Warning,
            'M',
            format_args!(
                "WARNING: The TCP backlog setting of {} cannot be enforced because {LIMIT_FILE} is set to the lower value of {limit}.",
                config.tcp_backlog
            ),
        );
    }
}

fn may_be_missing(error: &std::io::Error, optional: bool) -> bool {
    // Linux: ENOPROTOOPT, EPROTONOSUPPORT, ESOCKTNOSUPPORT, EPFNOSUPPORT, EAFNOSUPPORT.
    const NO_SUCH_FAMILY: [i32; 5] = [92, 93, 94, 96, 97];
    optional && error.kind() == std::io::ErrorKind::AddrNotAvailable
        || error
            .raw_os_error()
            .is_some_and(|code| NO_SUCH_FAMILY.contains(&code))
}

/// As Redis: a name with a colon is IPv6, any other IPv4.
fn address_of(host: &str, port: u16) -> std::io::Result<SocketAddr> {
    match host {
        "*" => return Ok(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
        "::*" => return Ok(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))),
        _ => {}
    }
    let wanted_v6 = host.contains(':');
    let mut found = (host, port).to_socket_addrs()?;
    let address = found.find(|address| address.is_ipv6() == wanted_v6);
    address.ok_or_else(|| std::io::Error::other("Name or service not known"))
}

const PROTECTED: &str = "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside.\r\n";
const FULL: &str = "-ERR max number of clients reached\r\n";

/// Why a new connection is turned away, as the reply it gets.
pub fn refusal(engine: &Engine, peer: &Address) -> Option<&'static str> {
    if engine.sessions.len() >= engine.config.maxclients as usize {
        return Some(FULL);
    }
    if engine.config.protected_mode && !engine.settings.requires_password && !peer.is_local() {
        return Some(PROTECTED);
    }
    None
}

/// What the engine keeps of a connection.
pub fn describe(reactor: &Reactor, conn: ConnId, peer: &Address) -> ConnInfo {
    let laddr = reactor
        .local_address(conn)
        .map(|a| a.to_string())
        .unwrap_or_else(|_| "?:0".into());
    ConnInfo {
        conn: conn.as_u64(),
        fd: reactor.fd(conn).unwrap_or(-1),
        addr: peer.to_string(),
        laddr,
        is_unix: matches!(peer, Address::Unix(_)),
        is_local: peer.is_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::SetContext;

    fn engine(options: &[(&[u8], &[u8])]) -> Engine {
        let mut config = Config::default();
        config
            .set(
                options,
                SetContext {
                    loading: false,
                    client_is_local: true,
                },
            )
            .expect("valid options");
        Engine::new(config, 1, 0)
    }

    fn tcp(address: &str) -> Address {
        Address::Tcp(address.parse().expect("an address"))
    }

    #[test]
    fn without_a_password_only_this_machine_may_come_in() {
        let open = engine(&[]);
        for local in [
            tcp("127.0.0.1:5000"),
            tcp("127.8.0.1:5000"),
            tcp("[::1]:5000"),
            Address::Unix("/s".into()),
        ] {
            assert_eq!(refusal(&open, &local), None);
        }
        let stranger = tcp("192.0.2.7:5000");
        assert!(
            refusal(&open, &stranger)
                .is_some_and(|text| text.starts_with("-DENIED Redis is running in protected mode"))
        );
        assert_eq!(
            refusal(&engine(&[(b"protected-mode", b"no")]), &stranger),
            None
        );
        assert_eq!(
            refusal(&engine(&[(b"requirepass", b"secret")]), &stranger),
            None
        );
    }

    #[test]
    fn clients_beyond_maxclients_are_told_so_even_from_far_away() {
        let mut engine = engine(&[(b"maxclients", b"1")]);
        assert_eq!(refusal(&engine, &tcp("127.0.0.1:1")), None);
        let id = engine.connect(ConnInfo::default());
        assert_eq!(refusal(&engine, &tcp("192.0.2.7:1")), Some(FULL));
        engine.disconnect(id);
        assert_eq!(refusal(&engine, &tcp("127.0.0.1:1")), None);
    }

    #[test]
    fn bind_names_stand_for_one_family() {
        for (name, expected) in [
            ("*", "0.0.0.0:7"),
            ("::*", "[::]:7"),
            ("10.0.0.1", "10.0.0.1:7"),
            ("::1", "[::1]:7"),
            ("localhost", "127.0.0.1:7"),
        ] {
            assert_eq!(
                address_of(name, 7).map(|a| a.to_string()).ok().as_deref(),
                Some(expected),
                "{name}"
            );
        }
        assert!(address_of("300.1.1.1", 7).is_err());
    }

    #[test]
    fn a_missing_address_is_forgiven_only_where_the_operator_said_so() {
        let not_here = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
        assert!(may_be_missing(&not_here, true) && !may_be_missing(&not_here, false));
        let no_ipv6 = std::io::Error::from_raw_os_error(97);
        assert!(may_be_missing(&no_ipv6, false));
        let in_use = std::io::Error::from(std::io::ErrorKind::AddrInUse);
        assert!(!may_be_missing(&in_use, true));
    }
}
