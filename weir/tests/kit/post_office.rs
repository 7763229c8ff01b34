//! An SMTP server that takes letters over and keeps them: as much of RFC 5321 as a client needs that says nothing odd.

use std::{
    collections::{BTreeMap, HashSet},
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use super::PATIENCE;

/// What it takes no letters for.
pub(crate) const NOBODY: &str = "nobody@example.org";

/// A letter as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) to: String,
    pub(crate) id: String,
    pub(crate) subject: String,
}

/// The server; it ends with the test's process.
pub(crate) struct PostOffice {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl PostOffice {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let kept = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                // A client that is killed ends its connection in the middle of anything.
                std::thread::spawn(move || drop(serve(&stream, &kept)));
            }
        });
        Self { address, received }
    }

    /// What Weir is told of it.
    pub(crate) fn settings(&self) -> [String; 2] {
        [format!("mail.server=smtp+plain://{}", self.address), "mail.from=Box office <tickets@example.org>".to_owned()]
    }

    /// How often each letter came.
    pub(crate) fn copies(&self) -> BTreeMap<String, usize> {
        let mut copies = BTreeMap::new();
        for letter in &*self.received.lock().unwrap() {
            *copies.entry(letter.id.clone()).or_default() += 1;
        }
        copies
    }

    /// How many letters came, copies apart.
    pub(crate) fn letters(&self) -> usize {
        let received = self.received.lock().unwrap();
        received.iter().map(|letter| letter.id.as_str()).collect::<HashSet<_>>().len()
    }

    /// The subjects of what came for an address, in order.
    pub(crate) fn subjects(&self, to: &str) -> Vec<String> {
        let received = self.received.lock().unwrap();
        received.iter().filter(|letter| letter.to == to).map(|letter| letter.subject.clone()).collect()
    }

    /// Waits until a letter for `to` has a subject that begins so.
    pub(crate) async fn await_letter(&self, to: &str, subject: &str) {
        let started = Instant::now();
        while !self.subjects(to).iter().any(|found| found.starts_with(subject)) {
            assert!(started.elapsed() < PATIENCE, "no '{subject}' came for {to}, but {:?}", self.subjects(to));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn serve(mut stream: &TcpStream, kept: &Mutex<Vec<Received>>) -> std::io::Result<()> {
    // Answers of a few bytes must not wait for each other.
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let mut to = String::new();
    stream.write_all(b"220 post office\r\n")?;
    while let Some(line) = lines.next() {
        let line = line?;
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => "250-post office\r\n250 8BITMIME",
            "RCPT" => {
                line.split(['<', '>']).nth(1).unwrap_or_default().clone_into(&mut to);
                if to == NOBODY { "550 5.1.1 no such mailbox" } else { "250 ok" }
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n")?;
                let mut letter = Received { to: to.clone(), id: String::new(), subject: String::new() };
                loop {
                    // What ends before its dot was not handed over.
                    let Some(line) = lines.next().transpose()? else { return Ok(()) };
                    if line == "." {
                        break;
                    }
                    for (header, field) in [("Message-ID: ", &mut letter.id), ("Subject: ", &mut letter.subject)] {
                        if let Some(value) = line.strip_prefix(header).filter(|_| field.is_empty()) {
                            value.clone_into(field);
                        }
                    }
                }
                kept.lock().unwrap().push(letter);
                "250 taken"
            }
            "MAIL" | "RSET" | "NOOP" => "250 ok",
            "QUIT" => {
                return stream.write_all(b"221 bye\r\n");
            }
            _ => "502 not here",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes())?;
    }
    Ok(())
}
