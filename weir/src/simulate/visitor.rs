//! Simulated visitors: they join, wait, come when called or don't, choose seats, pay or don't, and try again where
//! something fails, as browsers and people do.

use std::rc::Rc;

use booking_core::{
    booking::{Booking, BookingState, booking_id},
    digest::Digest,
    id::{TransactionId, UserId},
    line::place::{PlaceState, TurnView},
    message::{self, BookingAct, Outcome, Refusal, Wanted},
    money::Money,
    ports::{
        clock::Entropy as _,
        payments::{Payments as _, SandboxOutcome, SandboxPayments as _},
    },
    seats::{SeatId, SeatIndex},
    time::Timestamp,
};

use super::{
    fate::Heavens,
    gateway::{Admission, Gateway, Refused, Token},
    observer::Observer,
    ports::Stores,
    sale::Sale,
};

/// What visitors share.
pub(super) struct Scene {
    pub(super) sale: Sale,
    pub(super) stores: Stores,
    pub(super) heavens: Heavens,
    pub(super) observer: Observer,
    pub(super) gateways: Vec<Rc<Gateway>>,
    /// Sessions that an operator may revoke.
    pub(super) sessions: std::cell::RefCell<Vec<booking_core::id::SessionId>>,
}

/// One visitor at one device; the same identity may be at several.
struct Visitor {
    scene: Rc<Scene>,
    user: UserId,
    device: u32,
    gateway: Rc<Gateway>,
    /// The place and the position shown last.
    position: Option<(booking_core::line::Place, u64)>,
    tries: u32,
}

/// What a visitor makes of being called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Comes at once.
    Prompt,
    /// Comes when the turn is almost over, with all the others who do.
    Late,
    /// Comes in the second turn.
    MissesFirst,
    /// Comes when both are over.
    Oversleeps,
    NeverComes,
}

impl Manner {
    fn lets_pass(self, turn: Option<TurnView>, has_lapsed: bool, now: Timestamp) -> bool {
        match self {
            Self::Prompt => false,
            Self::Late => turn.is_some_and(|turn| turn.closes_at.millis_since(now) > LAST_MOMENT_MS),
            Self::MissesFirst => turn.is_some_and(|turn| !turn.last),
            Self::Oversleeps => !has_lapsed,
            Self::NeverComes => true,
        }
    }
}

/// When the late ones come, in milliseconds before their turn is over.
const LAST_MOMENT_MS: i64 = 3_000;

/// Visits the sale once.
pub(super) async fn visit(scene: Rc<Scene>, user: UserId, device: u32) {
    let gateway = scene.heavens.dice.pick(&scene.gateways);
    let mut visitor = Visitor { scene, user, device, gateway, position: None, tries: 0 };
    visitor.arrive().await;
    // Whoever gave up, or came too late, may try their luck again.
    for _ in 0..2 {
        let Some(token) = visitor.join().await else { return };
        if visitor.stand(token).await || visitor.chance(500) {
            return;
        }
    }
}

impl Visitor {
    fn chance(&self, per_mille: u32) -> bool {
        self.scene.heavens.dice.chance(per_mille)
    }

    async fn wait(&self, least_ms: i64, most_ms: i64) {
        let Heavens { clock, dice, .. } = &self.scene.heavens;
        clock.sleep(dice.range(least_ms..=most_ms)).await;
    }

    fn manner(&self) -> Manner {
        match self.scene.heavens.dice.range(0..=99) {
            0..12 => Manner::NeverComes,
            12..20 => Manner::MissesFirst,
            20..25 => Manner::Oversleeps,
            25..50 => Manner::Late,
            _ => Manner::Prompt,
        }
    }

    async fn arrive(&self) {
        let policy = &self.scene.sale.policy;
        let lobby = policy.lobby_opens_at.millis_since(self.scene.heavens.clock.now()).max(1);
        let open = lobby + policy.opens_at.millis_since(policy.lobby_opens_at);
        if self.chance(700) {
            self.wait(lobby, open).await;
        } else {
            self.wait(open, open + 25_000).await;
        }
    }

    /// Sometimes a visitor reaches another gateway.
    fn wander(&mut self) -> bool {
        let wanders = self.chance(60);
        if wanders {
            self.gateway = self.scene.heavens.dice.pick(&self.scene.gateways);
        }
        wanders
    }

    async fn join(&mut self) -> Option<Token> {
        for _ in 0..40 {
            self.wander();
            match self.gateway.join(&self.user).await {
                Ok(token) => {
                    self.scene.observer.told_place(&self.user, token.place, token.entry);
                    return Some(token);
                }
                Err(Refused::Closed) => return None,
                Err(_) => self.wait(100, 2_500).await,
            }
        }
        None
    }

    /// Waits at a place. True: there is nothing more to come for.
    async fn stand(&mut self, token: Token) -> bool {
        let manner = self.manner();
        let gives_up = self.chance(50);
        let mut lapsed = 0;
        for _ in 0..400 {
            let moved = self.wander();
            let polled = self.gateway.poll(&token, moved).await;
            let Ok(view) = polled else {
                self.wait(100, 1_500).await;
                continue;
            };
            let before = self.position.filter(|(place, _)| *place == token.place).map(|(_, position)| position);
            self.scene.observer.shown(token.place, &view, before);
            self.position = view.position.map(|position| (token.place, position));
            match view.state {
                PlaceState::Called if manner.lets_pass(view.turn, lapsed > 0, self.gateway.now()) => {}
                PlaceState::Called | PlaceState::Admitted => match self.gateway.claim(&token).await {
                    Ok(admission) => return self.shop(&token, admission).await,
                    Err(Refused::Over) => return false,
                    Err(Refused::Closed) => return true,
                    Err(_) => {}
                },
                // A page that was left open asks too, and in vain.
                PlaceState::Lapsed | PlaceState::Waiting if self.chance(50) => {
                    if let Ok(admission) = self.gateway.claim(&token).await {
                        return self.shop(&token, admission).await;
                    }
                }
                PlaceState::Lapsed if view.turn.is_none() => {
                    lapsed += 1;
                    // Whoever overslept both turns does not believe it at once.
                    if manner != Manner::Oversleeps || lapsed > 20 {
                        return false;
                    }
                }
                PlaceState::Left => return false,
                PlaceState::Ended => return !view.may_rejoin,
                PlaceState::Waiting if gives_up && self.chance(50) => {
                    _ = self.gateway.leave(&token).await;
                }
                _ => {}
            }
            self.wait(200, 2_000).await;
        }
        true
    }

    /// Inside. True: done for good.
    async fn shop(&mut self, token: &Token, admission: Admission) -> bool {
        self.scene.sessions.borrow_mut().push(admission.session.clone());
        for _ in 0..4 {
            self.wait(100, 5_000).await;
            if !self.gateway.is_good(&admission) {
                return false;
            }
            let Some(booking) = self.reserve(&admission).await else { continue };
            match self.scene.heavens.dice.range(0..=99) {
                0..10 => {
                    // Leaves the seats to their deadline.
                    self.wait(1_000, 20_000).await;
                    return false;
                }
                10..20 => {
                    self.give_back(&booking).await;
                    if self.chance(300) {
                        _ = self.gateway.leave(token).await;
                        return false;
                    }
                }
                _ => {
                    if self.chance(300) {
                        self.extend(&booking).await;
                    }
                    if self.chance(150) {
                        // Thinks until the hold has run out, or almost.
                        let hold_ms = i64::from(self.scene.sale.policy.hold_seconds) * 1_000;
                        self.wait(hold_ms - 2_000, hold_ms + 4_000).await;
                    }
                    if self.pay(&booking).await {
                        if self.chance(150) {
                            // Paid once more, in another window that is closed by now.
                            let (transaction, _) = self.card(&booking).await;
                            let told = self.told(&transaction, &booking).await;
                            _ = self.gateway.ask(&booking.booking_id, &self.user, told).await;
                        }
                        if self.chance(300) {
                            self.wait(100, 20_000).await;
                            self.cancel(&booking).await;
                        }
                        return true;
                    }
                }
            }
        }
        false
    }

    async fn reserve(&mut self, admission: &Admission) -> Option<Booking> {
        let dice = &self.scene.heavens.dice;
        let count = dice.count(1..=admission.max_seats + u32::from(dice.chance(50)));
        let wanted = if dice.chance(400) {
            Wanted::BestAvailable { count, category: None }
        } else {
            Wanted::Seats(self.some_seats(count))
        };
        self.tries += 1;
        let id = booking_id(&self.user, &format!("{}-{}", self.device, self.tries));
        self.scene.observer.asks(&id, &self.user, &wanted);
        let act = BookingAct::Hold {
            session: admission.session.clone(),
            max_seats: admission.max_seats,
            fingerprint: Digest::of(&[&message::encode(&wanted)]),
            wanted,
        };
        for _ in 0..4 {
            match self.gateway.ask(&id, &self.user, act.clone()).await {
                Ok(Outcome::Booking(booking)) => {
                    self.scene.observer.told_booking(&booking);
                    return (booking.state == BookingState::Held).then_some(*booking);
                }
                Ok(Outcome::Refused(Refusal::Unavailable { .. })) | Err(Refused::Port | Refused::NoAnswer) => {
                    self.wait(50, 1_000).await;
                    self.wander();
                }
                Ok(_) | Err(_) => return None,
            }
        }
        None
    }

    /// Seats side by side, where many want to sit.
    fn some_seats(&self, count: u32) -> Vec<SeatId> {
        let dice = &self.scene.heavens.dice;
        let map = &self.scene.sale.venue.seat_map;
        let row = &map.rows()[usize::try_from(dice.range(0..=1)).unwrap_or(0).min(map.rows().len() - 1)];
        let count = (count as usize).min(row.len());
        let first = usize::try_from(dice.range(0..=i64::try_from(row.len() - count).unwrap_or(0))).unwrap_or(0);
        row[first..first + count]
            .iter()
            .map(|seat| map.seat(*seat).expect("it is a seat of the hall").seat_id.clone())
            .collect()
    }

    /// Asks for more time, early or at the last moment, and again where there is no answer.
    async fn extend(&mut self, booking: &Booking) {
        if self.chance(400) {
            let hold_ms = i64::from(self.scene.sale.policy.hold_seconds) * 1_000;
            self.wait(hold_ms - 3_000, hold_ms + 1_000).await;
        }
        for _ in 0..3 {
            match self.gateway.ask(&booking.booking_id, &self.user, BookingAct::Extend).await {
                Ok(Outcome::Booking(extended)) => {
                    self.scene.observer.told_booking(&extended);
                    if !self.chance(200) {
                        return;
                    }
                }
                Ok(Outcome::Refused(Refusal::Unavailable { .. })) | Err(_) => self.wait(50, 1_000).await,
                Ok(_) => return,
            }
        }
    }

    async fn give_back(&mut self, booking: &Booking) {
        for _ in 0..3 {
            match self.gateway.ask(&booking.booking_id, &self.user, BookingAct::Release).await {
                Ok(Outcome::Refused(Refusal::Unavailable { .. })) | Err(_) => self.wait(50, 1_000).await,
                Ok(_) => return,
            }
        }
    }

    /// Cancels, seat by seat or all at once, and asks again where there is no answer.
    async fn cancel(&mut self, booking: &Booking) {
        let id = &booking.booking_id;
        let map = &self.scene.sale.venue.seat_map;
        let named = |seat: &SeatIndex| map.seat(*seat).expect("it is a seat of the hall").seat_id.clone();
        let one_by_one = booking.seats.iter().map(|seat| vec![named(seat)]);
        let mut asks: Vec<Vec<SeatId>> = one_by_one.take(self.scene.heavens.dice.count(0..=2) as usize).collect();
        if asks.is_empty() || self.chance(400) {
            asks.push(Vec::new());
        }
        for seats in asks {
            self.scene.observer.cancels(id);
            let cancel = BookingAct::Cancel { seats, refund: None };
            for _ in 0..5 {
                match self.gateway.ask(id, &self.user, cancel.clone()).await {
                    Ok(Outcome::Booking(cancelled)) => {
                        self.scene.observer.told_booking(&cancelled);
                        break;
                    }
                    Ok(Outcome::Refused(Refusal::Unavailable { .. })) | Err(_) => {
                        self.wait(100, 3_000).await;
                        self.wander();
                    }
                    Ok(_) => return,
                }
            }
        }
    }

    /// Pays, perhaps with several cards. True: booked.
    async fn pay(&mut self, booking: &Booking) -> bool {
        let id = &booking.booking_id;
        for _ in 0..3 {
            let (transaction, amount) = self.card(booking).await;
            let confirm = if self.chance(120) {
                // The provider tells it instead.
                self.told(&transaction, booking).await
            } else {
                BookingAct::Confirm { transaction, amount, contact: None }
            };
            for _ in 0..5 {
                match self.gateway.ask(id, &self.user, confirm.clone()).await {
                    Ok(Outcome::Booking(booked)) => {
                        self.scene.observer.told_booking(&booked);
                        return true;
                    }
                    Ok(Outcome::Refused(Refusal::PaymentDeclined { .. } | Refusal::AmountMismatch { .. })) => break,
                    Ok(Outcome::Refused(Refusal::Unavailable { .. })) | Err(_) => {
                        if self.chance(150) {
                            // Closes the browser in the middle of it.
                            return true;
                        }
                        self.wait(100, 3_000).await;
                        self.wander();
                    }
                    Ok(_) => return false,
                }
                if let Ok(Some(seen)) = self.gateway.booking(id).await {
                    self.scene.observer.told_booking(&seen);
                    if seen.state == BookingState::Confirmed {
                        return true;
                    }
                }
            }
            self.wait(500, 3_000).await;
        }
        false
    }

    /// What the provider tells of a payment for `booking`.
    async fn told(&self, transaction: &TransactionId, booking: &Booking) -> BookingAct {
        let standing = self.scene.stores.payments.standing(transaction).await.ok().flatten();
        let amount = standing.map_or(booking.total, |standing| standing.amount);
        BookingAct::Paid { transaction: transaction.clone(), amount }
    }

    /// A payment at the sandbox, good or bad.
    async fn card(&self, booking: &Booking) -> (TransactionId, i64) {
        let dice = &self.scene.heavens.dice;
        let transaction = TransactionId::from_bytes(dice.id_bytes());
        let outcome = match dice.range(0..=99) {
            0..12 => SandboxOutcome::Decline,
            12..18 => SandboxOutcome::Timeout,
            18..24 => SandboxOutcome::TimeoutAuthorised,
            24..30 => SandboxOutcome::RefuseRefund,
            _ => SandboxOutcome::Approve,
        };
        let wrong = i64::from(dice.chance(30));
        let amount = Money { amount: booking.total.amount + wrong, ..booking.total };
        self.scene.observer.pays(&transaction, &booking.booking_id);
        let made = self.scene.stores.payments.create(&transaction, amount, outcome).await;
        debug_assert!(made.is_ok(), "the sandbox has room");
        (transaction, booking.total.amount)
    }
}
