//! Answers every read with `+PONG`, to measure what the reactor costs by itself.
//!
//! `echo [ADDRESS] [REPLIES_PER_READ]`, then `redis-benchmark -t ping_inline -p PORT` against it
//! (with `-P n`, give the same n here). `strace -c` on it should show one `recvfrom` and one
//! `sendto` per request and few waits. Prints its processor time per read when interrupted.

use std::io;

use runtime::process::{Scope, cpu_usage};
use runtime::reactor::{Event, Reactor, ReactorConfig, ReadOutcome, WriteOutcome};
use runtime::signals::Signals;

#[global_allocator]
static ALLOCATOR: runtime::alloc::Jemalloc = runtime::alloc::Jemalloc;

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:17140".to_owned());
    let replies = args.next().and_then(|n| n.parse().ok()).unwrap_or(1);
    let address = address.parse().map_err(io::Error::other)?;

    let mut reactor = Reactor::new(ReactorConfig::default())?;
    reactor.attach_signals(Signals::install()?)?;
    reactor.listen_tcp(address, 511)?;

    let reply = b"+PONG\r\n".repeat(replies);
    let mut buf = Vec::with_capacity(256 * 1024);
    let mut events = Vec::new();
    let (mut reads, mut turns) = (0u64, 0u64);
    loop {
        reactor.wait(None, &mut events)?;
        turns += 1;
        for event in events.drain(..) {
            match event {
                Event::Accepted { conn, .. } => reactor.set_nodelay(conn, true)?,
                Event::Readable(conn) => {
                    buf.clear();
                    reads += 1;
                    let open = match reactor.read(conn, &mut buf) {
                        ReadOutcome::Data(_) => {
                            matches!(reactor.write(conn, &reply), WriteOutcome::Written(_))
                        }
                        ReadOutcome::WouldBlock => true,
                        ReadOutcome::Eof | ReadOutcome::Error(_) => false,
                    };
                    if !open {
                        reactor.close(conn);
                    }
                }
                Event::Signal(_) => {
                    let usage = cpu_usage(Scope::Process);
                    let per_read =
                        |time: std::time::Duration| time.as_secs_f64() * 1e6 / reads as f64;
                    println!("{reads} reads in {turns} turns; per read:");
                    println!(
                        "user {:.3} us, system {:.3} us",
                        per_read(usage.user),
                        per_read(usage.system)
                    );
                    return Ok(());
                }
                Event::AcceptFailed { error, .. } => eprintln!("accept: {error}"),
                Event::Writable(_)
                | Event::Wake
                | Event::Connected(_)
                | Event::ConnectFailed { .. } => {}
            }
        }
    }
}
