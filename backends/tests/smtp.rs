//! Letters on a real SMTP server, which keeps what it gets in a Maildir.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use backends::smtp::{Encryption, SmtpPost, SmtpSettings};
use booking_core::{
    id::LetterId,
    mail::{Message, Sending, Words},
    ports::post::Post as _,
};
use futures_util::future::join_all;

/// How long a letter may take from the answer to the Maildir: a bound against hanging.
const PATIENCE: Duration = Duration::from_secs(20);

fn variable(name: &str) -> String {
    std::env::var(name).expect("start it: `scripts/servers up smtp`, then `eval \"$(scripts/servers env)\"`")
}

fn settings() -> SmtpSettings {
    let address = variable("WEIR_TEST_SMTP");
    let (host, port) = address.rsplit_once(':').unwrap();
    SmtpSettings {
        host: host.to_owned(),
        port: port.parse().unwrap(),
        encryption: Encryption::None,
        login: None,
        from: "The Arena <tickets@arena.example>".to_owned(),
        connections: 4,
        timeout: Duration::from_secs(10),
    }
}

fn message(to: &str) -> Message {
    Message {
        letter_id: LetterId::from_bytes(rand::random()),
        to: to.parse().unwrap(),
        words: Words {
            subject: "Your seats for “Größe”".to_owned(),
            text: "Row 1, seat 2\n.\nA line with a dot alone, and one that is long: ".to_owned() + &"so ".repeat(600),
            html: "<p>Row 1, seat 2 — Größe</p>".to_owned(),
        },
    }
}

/// The letters in the Maildir that have `id`.
fn received(id: &LetterId) -> Vec<String> {
    let new = PathBuf::from(variable("WEIR_TEST_SMTP_MAIL")).join("new");
    let files = std::fs::read_dir(new).unwrap().map(|file| file.unwrap().path());
    files.filter_map(|path| std::fs::read_to_string(path).ok()).filter(|text| text.contains(id.as_str())).collect()
}

async fn arrived(id: &LetterId) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let letters = received(id);
        if !letters.is_empty() {
            return letters;
        }
        assert!(begun.elapsed() < PATIENCE, "{id} does not arrive");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_letter_arrives_whole() {
    let post = SmtpPost::new(&settings()).unwrap();
    post.examine().await.unwrap();
    let message = message("jane.o'neil+seats@mail.example");
    assert_eq!(post.send(&message).await, Sending::Sent);
    let letters = arrived(&message.letter_id).await;
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    for line in
        ["To: jane.o'neil+seats@mail.example", "multipart/alternative", "X-RcptTo: jane.o'neil+seats@mail.example"]
    {
        assert!(letter.contains(line), "{line} in {letter}");
    }
    assert!(letter.lines().all(|line| line.len() <= 998), "no line is longer than servers take");
}

#[tokio::test]
async fn letters_side_by_side_share_connections_and_all_arrive() {
    let post = SmtpPost::new(&settings()).unwrap();
    let messages: Vec<Message> = (0..40).map(|number| message(&format!("buyer-{number}@mail.example"))).collect();
    let sent = join_all(messages.iter().map(|message| post.send(message))).await;
    assert!(sent.iter().all(|sent| *sent == Sending::Sent), "{sent:?}");
    for message in &messages {
        assert_eq!(arrived(&message.letter_id).await.len(), 1);
    }
}

#[tokio::test]
async fn a_mailbox_that_is_not_there_is_told_from_one_that_is_busy() {
    let post = SmtpPost::new(&settings()).unwrap();
    let Sending::Refused(why) = post.send(&message("nobody@mail.example")).await else { panic!("it was taken") };
    assert!(why.contains("550") && why.contains("no such mailbox"), "{why}");
    let Sending::Later(why) = post.send(&message("busy@mail.example")).await else { panic!("it was taken") };
    assert!(why.contains("451"), "{why}");
    let after = message("jane@mail.example");
    assert_eq!(post.send(&after).await, Sending::Sent, "the connection is of use after both");
    assert_eq!(arrived(&after.letter_id).await.len(), 1);
}

#[tokio::test]
async fn a_server_without_tls_gets_no_letter_that_asks_for_it() {
    let post = SmtpPost::new(&SmtpSettings { encryption: Encryption::StartTls, ..settings() }).unwrap();
    let message = message("jane@mail.example");
    assert!(matches!(post.send(&message).await, Sending::Later(_)));
    assert!(post.examine().await.is_err());
    assert_eq!(received(&message.letter_id), [] as [String; 0]);
}
