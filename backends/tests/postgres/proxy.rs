//! A way to Postgres that can break where a test wants it to.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What becomes of the next commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Next {
    /// It goes through.
    Passes,
    /// It reaches the server; the connection breaks before the answer.
    IsNotAnswered,
    /// The connection breaks before it reaches the server.
    IsLost,
    /// As [`Self::IsNotAnswered`], and the next rollback is lost.
    IsNotAnsweredAndRollbackLost,
    /// It reaches the server, and nothing comes back any more, nor does the connection break.
    IsNeverAnswered,
    /// The next rollback is lost: what the last but one comes to.
    RollbackIsLost,
}

/// A proxy before one server. Gone when dropped, with every connection through it.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    next: Arc<AtomicU8>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// On a port of its own.
    pub(crate) async fn before(server: String) -> Self {
        Self::at(([127, 0, 0, 1], 0).into(), server).await
    }

    pub(crate) async fn at(address: SocketAddr, server: String) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let next = Arc::new(AtomicU8::new(Next::Passes as u8));
        let armed = Arc::clone(&next);
        let accepting = tokio::spawn(async move {
            // Dropped with this task, which ends them.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                connections.spawn(carry(client, server, Arc::clone(&armed)));
            }
        });
        Self { address, next, accepting }
    }

    pub(crate) fn next_commit(&self, next: Next) {
        self.next.store(next as u8, Ordering::SeqCst);
    }

    /// Whether the commit that was to fail came by.
    pub(crate) fn has_struck(&self) -> bool {
        [Next::Passes, Next::RollbackIsLost].iter().any(|over| self.next.load(Ordering::SeqCst) == *over as u8)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, armed: Arc<AtomicU8>) -> std::io::Result<()> {
    let (mut up, mut down) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let sent = &up[..read?];
                if sent.is_empty() {
                    return Ok(());
                }
                let mut strikes = Next::Passes as u8;
                if says(sent, b"COMMIT\0") && armed.load(Ordering::SeqCst) != Next::RollbackIsLost as u8 {
                    strikes = armed.swap(Next::Passes as u8, Ordering::SeqCst);
                } else if says(sent, b"ROLLBACK\0") && armed.load(Ordering::SeqCst) == Next::RollbackIsLost as u8 {
                    armed.store(Next::Passes as u8, Ordering::SeqCst);
                    return Ok(());
                }
                if strikes == Next::IsLost as u8 {
                    return Ok(());
                }
                server.write_all(sent).await?;
                if strikes != Next::Passes as u8 {
                    // The answer means that it is committed; nobody gets it.
                    let _ = server.read(&mut down).await?;
                    if strikes == Next::IsNeverAnswered as u8 {
                        std::future::pending::<()>().await;
                    }
                    if strikes == Next::IsNotAnsweredAndRollbackLost as u8 {
                        armed.store(Next::RollbackIsLost as u8, Ordering::SeqCst);
                    }
                    return Ok(());
                }
            }
            read = server.read(&mut down) => {
                let answered = &down[..read?];
                if answered.is_empty() {
                    return Ok(());
                }
                client.write_all(answered).await?;
            }
        }
    }
}

fn says(sent: &[u8], what: &[u8]) -> bool {
    sent.windows(what.len()).any(|bytes| bytes == what)
}
