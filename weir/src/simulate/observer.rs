//! The independent observer: keeps its own books of what visitors were told and of what the desk and the ledger did,
//! and holds the ten invariants of the design against them after every step.
//!
//! It folds the state log by rules of its own ([`line`]), so that a fault in the real fold shows as a difference.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use booking_core::{
    booking::{Booking, Release},
    desk::{Admit, AdmitRequest, Ended},
    digest::Digest,
    id::{BookingId, EventId, SessionId, TransactionId, UserId},
    line::{Place, place::PlaceView},
    message::Wanted,
    time::Timestamp,
};

use super::ports::{Late, Stores};

mod desk;
mod draw;
mod ledger;
mod line;
mod shown;

use line::Line;

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    /// Its number in the design; 0: a part reported damage that nobody had done.
    pub(super) invariant: u8,
    pub(super) what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.invariant {
            0 => write!(f, "damage: {}", self.what),
            number => write!(f, "invariant {number}: {}", self.what),
        }
    }
}

/// One admission, as the desk answered it.
struct Admission {
    user: UserId,
    place: Place,
    /// By the desk's time: the latest moment it was asked by.
    at: Timestamp,
    until: Timestamp,
    rate_per_minute: u32,
    is_ended: bool,
}

/// A join that was acknowledged to its visitor.
struct Joined {
    user: UserId,
    place: Place,
    entry: Digest,
}

/// A hold as it was asked for.
struct Asked {
    user: UserId,
    wanted: Wanted,
}

/// A booking as its visitor was told it.
struct Told {
    held: Option<Booking>,
    confirmed: bool,
    cancelled: bool,
}

/// What was counted, for the summary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) joins: u64,
    pub(super) admissions: u64,
    pub(super) holds: u64,
    pub(super) extensions: u64,
    pub(super) confirmations: u64,
    pub(super) cancellations: u64,
}

struct Books {
    event: EventId,
    now: Timestamp,
    line: Line,
    broken: Option<Broken>,
    counted: Counted,
    late: Vec<Late>,

    desk_time: Timestamp,
    places: BTreeMap<UserId, Place>,
    over: BTreeMap<Place, Ended>,
    admissions: BTreeMap<SessionId, Admission>,

    joined: Vec<Joined>,
    standing: BTreeMap<UserId, Place>,
    ranks: BTreeMap<Place, u64>,

    ledger_time: Timestamp,
    ledger_changed: bool,
    money_moved: bool,
    asked: BTreeMap<BookingId, Asked>,
    released: BTreeSet<BookingId>,
    /// Those that their visitors asked to cancel, whole or in part.
    cancelled: BTreeSet<BookingId>,
    told: BTreeMap<BookingId, Told>,
    /// Payments that the visitors made, and for which booking.
    payments: BTreeMap<TransactionId, BookingId>,
    settled: BTreeSet<TransactionId>,
}

/// The observer; its clones share their books.
#[derive(Clone)]
pub(super) struct Observer(Arc<Mutex<Books>>);

impl Observer {
    pub(super) fn of(event: EventId) -> Self {
        Self(Arc::new(Mutex::new(Books {
            line: Line::new(event.clone()),
            event,
            now: Timestamp::default(),
            broken: None,
            counted: Counted::default(),
            late: Vec::new(),
            desk_time: Timestamp::default(),
            places: BTreeMap::new(),
            over: BTreeMap::new(),
            admissions: BTreeMap::new(),
            joined: Vec::new(),
            standing: BTreeMap::new(),
            ranks: BTreeMap::new(),
            ledger_time: Timestamp::default(),
            ledger_changed: false,
            money_moved: false,
            asked: BTreeMap::new(),
            released: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            told: BTreeMap::new(),
            payments: BTreeMap::new(),
            settled: BTreeSet::new(),
        })))
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hash of the last record of the line.
    pub(super) fn head(&self) -> String {
        self.books().line.real.head_hash().to_string()
    }

    pub(super) fn counted(&self) -> Counted {
        self.books().counted
    }

    /// An append that seems to have failed and is to happen later.
    pub(super) fn send_late(&self, late: Late) {
        self.books().late.push(late);
    }

    pub(super) fn take_late(&self) -> Vec<Late> {
        std::mem::take(&mut self.books().late)
    }

    /// A part reported damage.
    pub(super) fn damaged(&self, what: String) {
        self.books().break_rule(0, what);
    }

    /// The latest moment by which the desk was asked: it decides by no earlier one.
    pub(super) fn desk_time(&self, now: Timestamp) {
        let mut books = self.books();
        books.desk_time = books.desk_time.max(now);
    }

    pub(super) fn placed(&self, user: &UserId, place: Place) {
        self.books().places.insert(user.clone(), place);
    }

    pub(super) fn gave_up(&self, user: &UserId) {
        self.books().gave_up(user);
    }

    pub(super) fn finished(&self, session: &SessionId, why: Ended) {
        self.books().finished(session, why);
    }

    pub(super) fn admitted(&self, request: &AdmitRequest, answer: &Admit, now: Timestamp) {
        self.books().admitted(request, answer, now);
    }

    /// The latest moment by which the ledger decided whose seats they are.
    pub(super) fn ledger_time(&self, now: Timestamp) {
        let mut books = self.books();
        books.ledger_time = books.ledger_time.max(now);
        books.ledger_changed = true;
    }

    pub(super) fn releasing(&self, batch: &[Release]) {
        let mut books = self.books();
        books.released.extend(batch.iter().map(|release| release.booking.clone()));
        books.ledger_changed = true;
    }

    /// A visitor is about to cancel.
    pub(super) fn cancels(&self, booking: &BookingId) {
        self.books().cancelled.insert(booking.clone());
    }

    pub(super) fn cancelling(&self) {
        self.books().ledger_changed = true;
    }

    pub(super) fn paying(&self) {
        self.books().money_moved = true;
    }

    /// A visitor was told that they stand at `place`.
    pub(super) fn told_place(&self, user: &UserId, place: Place, entry: Digest) {
        self.books().told_place(user, place, entry);
    }

    /// A visitor was shown `view` of `place`; `before`: the position shown to them before.
    pub(super) fn shown(&self, place: Place, view: &PlaceView, before: Option<u64>) {
        self.books().shown(place, view, before);
    }

    /// A visitor is about to ask for seats.
    pub(super) fn asks(&self, booking: &BookingId, user: &UserId, wanted: &Wanted) {
        self.books().asked.insert(booking.clone(), Asked { user: user.clone(), wanted: wanted.clone() });
    }

    /// A visitor made a payment.
    pub(super) fn pays(&self, transaction: &TransactionId, booking: &BookingId) {
        self.books().payments.insert(transaction.clone(), booking.clone());
    }

    /// A visitor was told what became of a booking.
    pub(super) fn told_booking(&self, booking: &Booking) {
        self.books().told_booking(booking);
    }

    /// Whether everything about seats and money has come to its end.
    pub(super) fn is_settled(&self, stores: &Stores) -> bool {
        self.books().is_settled(stores)
    }

    /// Looks at everything after a step that ended at `now`.
    pub(super) fn check(&self, stores: &Stores, now: Timestamp) -> Result<(), Broken> {
        let mut books = self.books();
        books.now = now;
        books.follow(stores);
        books.check_ledger(stores);
        books.broken.clone().map_or(Ok(()), Err)
    }

    /// Looks at everything once more when all has come to rest.
    pub(super) fn check_all(&self, stores: &Stores) -> Result<(), Broken> {
        let mut books = self.books();
        books.follow(stores);
        books.check_draw(stores);
        books.check_joins(stores);
        books.ledger_changed = true;
        books.money_moved = true;
        books.check_ledger(stores);
        books.check_balance(stores);
        books.broken.clone().map_or(Ok(()), Err)
    }
}

impl Books {
    /// Notes the first invariant that does not hold.
    fn break_rule(&mut self, invariant: u8, what: impl Into<String>) {
        if self.broken.is_none() {
            self.broken = Some(Broken { invariant, what: what.into() });
        }
    }

    fn follow(&mut self, stores: &Stores) {
        if let Err(broken) = self.line.follow(stores, self.now) {
            self.break_rule(broken.invariant, broken.what);
        }
    }
}

/// What a store in memory answers, which it does at once.
fn answer<T>(asked: impl Future<Output = booking_core::ports::PortResult<T>>) -> T {
    use futures_util::FutureExt as _;
    let answered = asked.now_or_never().expect("a store in memory answers at once");
    answered.expect("a store in memory does not fail")
}
