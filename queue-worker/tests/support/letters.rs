//! Letters in few words, and a post that keeps what it is given.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use booking_core::{
    id::LetterId,
    mail::{Letter, Letters, Message, Occasion, Sending, Words},
    ports::post::Post,
};

/// Says what a letter is about and of which booking.
pub struct PlainLetters;

impl Letters for PlainLetters {
    fn write(&self, letter: &Letter, occasion: &Occasion) -> Result<Words, String> {
        let text = format!("{:?} {} {}", letter.subject, letter.booking.booking_id, occasion.event.title);
        Ok(Words { subject: text.clone(), html: format!("<p>{text}</p>"), text })
    }
}

/// What it answers is set by [`PostBox::answers`]; without, it takes everything.
#[derive(Clone, Default)]
pub struct PostBox(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    messages: Vec<Message>,
    answer: Option<Sending>,
}

impl PostBox {
    /// From now on it takes nothing and says why, or takes everything again.
    pub fn answers(&self, answer: Option<Sending>) {
        self.0.lock().expect("no test panicked in it").answer = answer;
    }

    /// All that it took.
    pub fn messages(&self) -> Vec<Message> {
        self.0.lock().expect("no test panicked in it").messages.clone()
    }

    /// How often it took each letter.
    pub fn copies(&self) -> BTreeMap<LetterId, usize> {
        let mut copies = BTreeMap::new();
        for message in self.messages() {
            *copies.entry(message.letter_id).or_default() += 1;
        }
        copies
    }
}

#[async_trait]
impl Post for PostBox {
    async fn send(&self, message: &Message) -> Sending {
        let mut held = self.0.lock().expect("no test panicked in it");
        if let Some(answer) = &held.answer {
            return answer.clone();
        }
        held.messages.push(message.clone());
        Sending::Sent
    }
}
