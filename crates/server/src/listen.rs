//! Listening sockets, and who may come in.

use config::Config;
use engine::{ConnInfo, Engine};
use runtime::address::Address;
use runtime::log::{Level, Logger};
use runtime::reactor::{ConnId, ListenerId, Reactor};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

/// The sockets the server listens on.
#[derive(Default)]
pub struct Listeners {
    pub tcp: Vec<(ListenerId, String)>,
    pub unix: Option<(ListenerId, PathBuf)>,
}

/// Opens everything the configuration asks for. Failing on one required address fails the start.
pub fn open_all(reactor: &mut Reactor, config: &Config, logger: &Logger) -> Result<Listeners, String> {
    let mut listeners = Listeners::default();
    if config.port != 0 {
        listeners.tcp = open_tcp(reactor, config)
            .map_err(|text| format!("{text}\nFailed listening on port {} (tcp), aborting.", config.port))?;
    }
    let path = config.unixsocket.as_bytes();
    if !path.is_empty() {
        let path = PathBuf::from(std::str::from_utf8(path).map_err(|e| e.to_string())?);
        let id = reactor
            .listen_unix(&path, config.unixsocketperm, config.tcp_backlog as i32)
            .map_err(|e| format!("Failed opening Unix socket: bind: {e}"))?;
        listeners.unix = Some((id, path));
    }
    if listeners.tcp.is_empty() && listeners.unix.is_none() {
        logger.log(Level::Warning, 'M', format_args!("Configured to not listen anywhere, exiting."));
        return Err("no address to listen on".into());
    }
    Ok(listeners)
}

/// Opens all `bind` addresses on `port`. An address with a leading dash may be missing on this
/// machine; `*` and `::*` stand for all.
pub fn open_tcp(reactor: &mut Reactor, config: &Config) -> Result<Vec<(ListenerId, String)>, String> {
    let mut opened = Vec::new();
    for name in &config.bind {
        let (optional, host) = match name.strip_prefix('-') {
            Some(host) => (true, host),
            None => (false, name.as_str()),
        };
        let result = address_of(host, config.port).and_then(|address| {
            reactor.listen_tcp(address, config.tcp_backlog as i32).map_err(|e| {
                (format!("Warning: Could not create server TCP listening socket {host}:{}: bind: {e}", config.port), e.kind())
            })
        });
        match result {
            Ok(id) => opened.push((id, host.to_string())),
            Err((_, kind)) if optional && is_absent(kind) => {}
            Err((text, _)) => {
                for (id, _) in opened {
                    reactor.close_listener(id);
                }
                return Err(text);
            }
        }
    }
    Ok(opened)
}

fn is_absent(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind::*;
    matches!(kind, AddrNotAvailable | Unsupported | InvalidInput | NotFound)
}

fn address_of(host: &str, port: u16) -> Result<SocketAddr, (String, std::io::ErrorKind)> {
    match host {
        "*" => return Ok(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
        "::*" => return Ok(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))),
        _ => {}
    }
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, port));
    }
    let resolved = (host, port).to_socket_addrs();
    let first = resolved.map_err(|e| (format!("Could not resolve bind address {host}: {e}"), e.kind()))?.next();
    first.ok_or_else(|| (format!("Could not resolve bind address {host}"), std::io::ErrorKind::NotFound))
}

const PROTECTED: &str = "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside.\r\n";
const FULL: &str = "-ERR max number of clients reached\r\n";

/// Why a new connection is turned away, as the reply it gets.
pub fn refusal(engine: &Engine, peer: &Address, max_clients: u32) -> Option<&'static str> {
    if engine.sessions.len() >= max_clients as usize {
        return Some(FULL);
    }
    if engine.config.protected_mode && !engine.settings.requires_password && !peer.is_local() {
        return Some(PROTECTED);
    }
    None
}

/// What the engine keeps of a connection.
pub fn describe(reactor: &Reactor, conn: ConnId, peer: &Address) -> ConnInfo {
    let laddr = reactor.local_address(conn).map(|a| a.to_string()).unwrap_or_else(|_| "?:0".into());
    ConnInfo {
        conn: conn.as_u64(),
        fd: reactor.fd(conn).unwrap_or(-1),
        addr: peer.to_string(),
        laddr,
        is_unix: matches!(peer, Address::Unix(_)),
        is_local: peer.is_local(),
    }
}
