//! A way between two processes that a test can cut. While it is cut nothing comes through and nothing is refused, as
//! with a cable that is pulled; what was under way arrives once it is mended.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// A way through a proxy. Dropped, it takes no more connections.
pub(crate) struct Way {
    pub(crate) address: SocketAddr,
    gate: Arc<Gate>,
    is_over: Arc<AtomicBool>,
}

#[derive(Default)]
struct Gate {
    is_shut: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn set(&self, is_shut: bool) {
        *self.is_shut.lock().unwrap_or_else(PoisonError::into_inner) = is_shut;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let is_shut = self.is_shut.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.opened.wait_while(is_shut, |is_shut| *is_shut).unwrap_or_else(PoisonError::into_inner));
    }
}

impl Way {
    /// From a port of its own to `server`.
    pub(crate) fn to(server: SocketAddr) -> Self {
        Self::between(([127, 0, 0, 1], 0).into(), server)
    }

    /// From `address` to `server`.
    pub(crate) fn between(address: SocketAddr, server: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let (gate, is_over) = (Arc::<Gate>::default(), Arc::<AtomicBool>::default());
        let (passed, ended) = (Arc::clone(&gate), Arc::clone(&is_over));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(client), gate) = (client, Arc::clone(&passed)) else { continue };
                std::thread::spawn(move || {
                    gate.pass();
                    // A server that is not there ends the connection, which says as much.
                    let Ok(server) = TcpStream::connect(server) else { return };
                    let (Ok(from), Ok(to)) = (server.try_clone(), client.try_clone()) else { return };
                    let back = Arc::clone(&gate);
                    std::thread::spawn(move || carry(from, to, &back));
                    carry(client, server, &gate);
                });
            }
        });
        Self { address, gate, is_over }
    }

    /// Cuts it, or mends it.
    pub(crate) fn cut(&self, is_cut: bool) {
        self.gate.set(is_cut);
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.gate.set(false);
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the one that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

/// Carries what comes from one side to the other until either ends.
fn carry(mut from: TcpStream, mut to: TcpStream, gate: &Gate) {
    let mut buffer = vec![0; 64 << 10];
    let mut next = || -> io::Result<usize> {
        let count = from.read(&mut buffer)?;
        gate.pass();
        to.write_all(&buffer[..count])?;
        Ok(count)
    };
    while next().is_ok_and(|count| count > 0) {}
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
