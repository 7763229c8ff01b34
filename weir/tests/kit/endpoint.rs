//! An endpoint of somebody else's: takes webhooks over HTTP, and only those that are signed.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use standardwebhooks::Webhook;

use super::PATIENCE;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The endpoint; it ends with the test's process.
pub(crate) struct Endpoint {
    address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    taken: Vec<(String, Value)>,
    to_refuse: usize,
    complaints: Vec<String>,
}

impl Endpoint {
    /// One that refuses the first `to_refuse` requests.
    pub(crate) fn open(to_refuse: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Heard { to_refuse, ..Heard::default() }));
        let hearing = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let hearing = Arc::clone(&hearing);
                std::thread::spawn(move || drop(serve(&stream, &hearing)));
            }
        });
        Self { address, heard }
    }

    /// What Weir is told of it: it signs with two secrets, of which this endpoint knows the second.
    pub(crate) fn settings(&self) -> [String; 3] {
        [
            format!("webhooks.endpoints=shop http://{}/weir", self.address),
            format!("webhooks.secrets=shop whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX,shop {SECRET}"),
            "webhooks.allow=127.0.0.0/8".to_owned(),
        ]
    }

    /// The ids, types and bookings of what it took, once there are so many.
    pub(crate) async fn taken(&self, count: usize) -> Vec<(String, String, String)> {
        let started = Instant::now();
        loop {
            let heard: Vec<_> = {
                let heard = self.heard.lock().unwrap();
                assert!(heard.complaints.is_empty(), "{:?}", heard.complaints);
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let told = heard.taken.iter();
                told.map(|(id, said)| (id.clone(), text(&said["type"]), text(&said["data"]["bookingId"]))).collect()
            };
            if heard.len() >= count {
                return heard;
            }
            assert!(started.elapsed() < PATIENCE, "only {} came: {heard:?}", heard.len());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn serve(mut stream: &TcpStream, heard: &Mutex<Heard>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let (mut headers, mut line) = (HeaderMap::new(), String::new());
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            let name: HeaderName = name.parse().expect("a header's name");
            headers.insert(name, HeaderValue::from_str(value).expect("a header's value"));
        }
        let length = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let mut heard = heard.lock().unwrap();
        let status = if heard.to_refuse > 0 {
            heard.to_refuse -= 1;
            "503 Busy"
        } else {
            match Webhook::new(SECRET).unwrap().verify(&body, &headers) {
                Ok(()) => {
                    let id = headers["webhook-id"].to_str().unwrap().to_owned();
                    heard.taken.push((id, serde_json::from_slice(&body)?));
                }
                Err(error) => heard.complaints.push(error.to_string()),
            }
            "200 OK"
        };
        drop(heard);
        stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes())?;
    }
}
