use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    thread::JoinHandle,
};

use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEXT: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

fn secrets(secrets: &[&str]) -> Vec<Secret> {
    secrets.iter().map(|secret| Secret::new(secret)).collect()
}

fn local() -> Allowed {
    Allowed::and(&["127.0.0.0/8".to_owned()]).unwrap()
}

fn refusal(url: &str, keys: &[&str]) -> String {
    HttpHook::new(url, &secrets(keys), &Allowed::default()).unwrap_err().to_string()
}

/// A server that answers one request with `answer`; what it was asked.
fn answering(answer: &'static str) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut text, mut piece) = (Vec::new(), [0; 4_096]);
        // Every payload of these tests ends so.
        while !text.ends_with(b"}") {
            let read = stream.read(&mut piece).unwrap();
            text.extend_from_slice(&piece[..read]);
        }
        stream.write_all(format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").as_bytes()).unwrap();
        String::from_utf8(text).unwrap()
    });
    (address, asked)
}

async fn handed(answer: &'static str) -> (Handed, String) {
    let (address, asked) = answering(answer);
    let hook = HttpHook::new(&format!("http://{address}/hooks"), &secrets(&[SECRET, NEXT]), &local()).unwrap();
    let now = Timestamp::from_millis(1_614_265_330_999);
    let handed = hook.hand(&HookId::from_bytes([1; 16]), r#"{"test": 2432232314}"#, now).await;
    (handed, asked.join().unwrap())
}

/// The example of the specification.
#[test]
fn a_signature_is_what_standard_webhooks_says() {
    let hook = HttpHook::new("https://shop.example", &secrets(&[SECRET]), &Allowed::default()).unwrap();
    let id: HookId = "msg_p5jXN8AQM9LWM0D4loKWxJek".parse().unwrap();
    let signed = hook.signatures(&id, 1_614_265_330, r#"{"test": 2432232314}"#).unwrap();
    assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[tokio::test]
async fn a_webhook_carries_its_id_its_time_and_a_signature_of_each_secret() {
    let (handed, asked) = handed("204 No Content").await;
    assert_eq!(handed, Handed::Taken(204));
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /hooks HTTP/1.1"), "{head}");
    assert_eq!(body, r#"{"test": 2432232314}"#);
    let headers = || head.lines().filter_map(|line| line.split_once(": "));
    let value = |name: &str| headers().find(|(found, _)| *found == name).unwrap().1;
    assert_eq!(value("webhook-timestamp"), "1614265330");
    assert_eq!(value("content-type"), "application/json");
    let signatures: Vec<_> = value("webhook-signature").split(' ').collect();
    for (secret, signature) in [SECRET, NEXT].into_iter().zip(signatures) {
        let expected = Webhook::new(secret).unwrap().sign(value("webhook-id"), 1_614_265_330, body.as_bytes()).unwrap();
        assert_eq!(signature, expected);
    }
}

#[tokio::test]
async fn what_is_not_taken_says_why() {
    assert_eq!(handed("410 Gone").await.0, Handed::Gone);
    assert_eq!(handed("503 Busy").await.0, Handed::Later("it answered 503 Service Unavailable".to_owned()));
    let Handed::Later(why) = handed("302 Found\r\nlocation: http://127.0.0.1:1/").await.0 else { panic!() };
    assert!(why.ends_with("redirects are not followed"), "{why}");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hook = HttpHook::new(&format!("http://{free}/?token=hidden"), &secrets(&[SECRET]), &local()).unwrap();
    let now = Timestamp::from_millis(0);
    let Handed::Later(why) = hook.hand(&HookId::from_bytes([1; 16]), "{}", now).await else { panic!() };
    assert!(why.contains("refused") && !why.contains("hidden"), "{why}");
}

#[tokio::test]
async fn a_name_behind_the_walls_is_not_connected_to() {
    let hook = HttpHook::new("https://localhost:1/", &secrets(&[SECRET]), &Allowed::default()).unwrap();
    let now = Timestamp::from_millis(0);
    let Handed::Later(why) = hook.hand(&HookId::from_bytes([1; 16]), "{}", now).await else { panic!() };
    assert!(why.contains("private"), "{why}");
}

#[test]
fn an_endpoint_that_can_not_be_is_refused_in_one_line_that_shows_no_secret() {
    let key = [SECRET];
    assert!(refusal("https://127.0.0.1/", &key).starts_with("127.0.0.1 is a private address"));
    assert!(refusal("https://0x7f.1/", &key).starts_with("127.0.0.1 is a private address"));
    assert!(refusal("https://[::1]/", &key).starts_with("::1 is a private address"));
    assert!(refusal("http://shop.example/", &key).starts_with("its address must be https:"));
    assert!(refusal("ftp://shop.example/", &key).starts_with("its address must be https:"));
    assert!(refusal("shop", &key).starts_with("it is no address"));
    assert!(refusal("https://me:pw@shop.example/", &key).starts_with("its address has a login"));
    assert!(refusal("https://shop.example/", &[]).starts_with("it needs a signing secret"));
    assert!(refusal("https://shop.example/", &[SECRET; 3]).starts_with("it needs a signing secret, and 2"));
    for wrong in ["sk_live_hidden", "whsec_hidden", "whsec_hiddenhiddenhiddenhiddenhidden!!!"] {
        let refusal = refusal("https://shop.example/", &[wrong]);
        assert!(refusal.starts_with("a signing secret is 'whsec_'") && !refusal.contains("hidden"), "{refusal}");
    }
}
