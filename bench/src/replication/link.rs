//! A link between a replica and its primary that can be taken away: everything is forwarded until
//! it is cut, and nothing is accepted until it is restored.
//! Tests: at the bottom.

use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub struct Link {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    target: SocketAddr,
    is_cut: bool,
    is_over: bool,
    open: Vec<TcpStream>,
}

impl Link {
    pub fn to(target: SocketAddr) -> Result<Link> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("listen for the link")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Mutex::new(Shared {
            target,
            is_cut: false,
            is_over: false,
            open: Vec::new(),
        }));
        let of_thread = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("link".into())
            .spawn(move || accept(&listener, &of_thread))?;
        Ok(Link { address, shared })
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn cut(&self) {
        let mut shared = lock(&self.shared);
        shared.is_cut = true;
        for stream in shared.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub fn restore(&self) {
        lock(&self.shared).is_cut = false;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        lock(&self.shared).is_over = true;
        self.cut();
        // The thread that accepts wakes and ends.
        let _ = TcpStream::connect(self.address);
    }
}

/// What is in it is plain data, so a panic elsewhere leaves it usable.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, shared: &Mutex<Shared>) {
    for near in listener.incoming() {
        let mut state = lock(shared);
        if state.is_over {
            return;
        }
        let Some(near) = near.ok().filter(|_| !state.is_cut) else {
            continue;
        };
        let Ok(far) = TcpStream::connect(state.target) else {
            continue;
        };
        // A link that cannot be copied cannot be used; the replica will come again.
        let copies = || Some((near.try_clone().ok()?, far.try_clone().ok()?));
        if let (Some((near_in, far_out)), Some((near_out, far_in))) = (copies(), copies()) {
            std::thread::spawn(move || forward(near_in, far_out));
            std::thread::spawn(move || forward(far_in, near_out));
            state.open.extend([near, far]);
        }
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut chunk) {
        if to.write_all(&chunk[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_forwards_until_it_is_cut_and_again_when_it_is_restored() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let link = Link::to(listener.local_addr().unwrap()).unwrap();
        let connect = || TcpStream::connect(("127.0.0.1", link.port())).unwrap();
        let mut byte = [0];
        for _ in 0..2 {
            let mut near = connect();
            let (mut far, _) = listener.accept().unwrap();
            near.write_all(b"x").unwrap();
            far.read_exact(&mut byte).unwrap();
            far.write_all(b"y").unwrap();
            near.read_exact(&mut byte).unwrap();
            assert_eq!(&byte, b"y");
            link.cut();
            assert_eq!(near.read(&mut byte).unwrap_or(0), 0);
            assert_eq!(connect().read(&mut byte).unwrap_or(0), 0);
            link.restore();
        }
    }
}
