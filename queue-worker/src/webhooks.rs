//! Webhooks: endpoints outside are told what became of bookings, each in its own time.
//!
//! An endpoint is a group of readers of `weir.changes`. Each lane of it is told in order, one webhook after the other,
//! so of one booking nothing overtakes what came before. What an endpoint does not take holds up its lane: it is tried
//! again after a pause that doubles from five seconds to five hours, and given up after three days. What became of each
//! try stands in `weir.deliveries`; an operator's wish to have some sent again comes by the same topic.

use std::{collections::VecDeque, sync::Arc};

use booking_core::{
    booking::OutboxRow,
    message,
    ports::{
        PortResult,
        hook::{Handed, Hook},
        log::{Lane, Log, Topic},
    },
    time::Timestamp,
    webhook::{Delivery, DeliveryRecord, EndpointName, Notice, Subject, is_told},
};
use futures_util::future::{join_all, try_join_all};

use crate::{Error, Gauges, Parts, Progress, Settings, hall::Halls, pause::scattered, settings::millis};

/// Webhooks of one lane in a row, before it is noted how far it got: as many come twice after a crash.
const IN_A_ROW: usize = 16;
/// The first pause after a webhook that was not taken, and the longest: five seconds, five hours.
const FIRST_PAUSE_MS: i64 = 5_000;
const LONGEST_PAUSE_MS: i64 = 5 * 3_600_000;
/// How often it is looked what operators want.
const LOOK_EVERY_MS: i64 = 1_000;
/// Entries read at once.
const READ: usize = 512;
/// After how many records of deliveries it is noted that they were looked at.
const NOTE_EVERY: u64 = 1_000;

/// Who is told.
#[derive(Clone)]
pub struct Endpoint {
    /// What it is called.
    pub name: EndpointName,
    /// How it is reached.
    pub hook: Arc<dyn Hook>,
}

/// Tells one endpoint. One for each endpoint: two would tell twice.
pub struct Webhooks {
    parts: Parts,
    gauges: Arc<Gauges>,
    endpoint: Endpoint,
    group: String,
    give_up_after_ms: i64,
    halls: Halls,
    /// Its lanes of `weir.changes`; none until it has begun.
    lanes: Vec<LaneOf>,
    /// The next record of `weir.deliveries`, and up to where that is noted.
    wishes: (u64, u64),
    looked_at: Option<Timestamp>,
    is_gone: bool,
}

/// How far a lane got.
#[derive(Debug, Default)]
struct LaneOf {
    /// The offset behind everything that was told or passed over.
    next: u64,
    /// Up to where that is noted.
    noted: u64,
    /// What was read and is to be told, with the offset behind each.
    rows: VecDeque<(OutboxRow, u64)>,
    /// The offset behind everything that was read.
    read: u64,
    /// How often in a row the first of them was not taken, and until when it rests.
    failures: u32,
    until: Option<Timestamp>,
}

impl LaneOf {
    fn at(next: u64) -> Self {
        Self { next, noted: next, read: next, ..Self::default() }
    }

    fn rests(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

/// What came of telling a lane.
struct ToldLane {
    lane: usize,
    /// How many of its rows are done with, taken or given up.
    done: usize,
    records: Vec<Delivery>,
    /// Whether it ended with one that was not taken.
    has_failed: bool,
    is_gone: bool,
}

impl Webhooks {
    /// Tells `endpoint` what happens from now on, or goes on where it was.
    pub fn new(parts: Parts, settings: &Settings, gauges: Arc<Gauges>, endpoint: Endpoint) -> Self {
        Self {
            parts,
            gauges,
            group: format!("webhooks.{}", endpoint.name),
            endpoint,
            give_up_after_ms: millis(settings.webhooks_give_up_after_ms),
            halls: Halls::default(),
            lanes: Vec::new(),
            wishes: (0, 0),
            looked_at: None,
            is_gone: false,
        }
    }

    /// Tells what there is to tell.
    ///
    /// # Errors
    /// If the log or the catalog fails; what was told then is told again.
    pub async fn step(&mut self, now: Timestamp) -> Result<Progress, Error> {
        if self.lanes.is_empty() {
            self.begin(now).await?;
        }
        self.look_for_wishes(now).await?;
        if self.is_gone {
            return Ok(Progress::Idle);
        }
        self.read().await?;
        let mut telling = Vec::new();
        for lane in 0..self.lanes.len() {
            if !self.lanes[lane].rests(now) && !self.lanes[lane].rows.is_empty() {
                telling.push((lane, self.payloads(lane, now).await?));
            }
        }
        let told = telling.into_iter().map(|(lane, payloads)| self.tell(lane, payloads, now));
        let told: Vec<ToldLane> = join_all(told).await;
        let mut done = 0;
        for told in told {
            done += told.done;
            self.note(told, now).await?;
        }
        self.note_lanes().await?;
        Ok(if done > 0 { Progress::Did(done) } else { Progress::Idle })
    }

    /// Goes on where it was; an endpoint that is new is told what comes after this.
    async fn begin(&mut self, now: Timestamp) -> Result<(), Error> {
        let log = &*self.parts.log;
        let lanes = log.lanes(&Topic::Changes).await?;
        log.lanes(&Topic::Deliveries).await?;
        let looked = log.committed(&self.group, &Topic::Deliveries, 0).await?;
        let mut from = vec![0; lanes.into()];
        let wishes = if looked == 0 {
            let (began, next) = self.began(now).await?;
            from = began;
            next
        } else {
            looked
        };
        let mut at = Vec::new();
        for lane in 0..lanes {
            let committed = log.committed(&self.group, &Topic::Changes, lane).await?;
            let next = committed.max(from.get(usize::from(lane)).copied().unwrap_or(0));
            at.push(LaneOf::at(next));
        }
        if looked == 0 {
            for (lane, at) in (0..lanes).zip(&at) {
                log.commit(&self.group, &Topic::Changes, lane, at.next).await?;
            }
            log.commit(&self.group, &Topic::Deliveries, 0, wishes).await?;
        }
        self.wishes = (wishes, wishes);
        self.lanes = at;
        Ok(())
    }

    /// From where it is told, as its first record says, and the offset behind that record. It is the record that
    /// counts: notes may be lost in a crash, and then nothing must be passed over.
    async fn began(&self, now: Timestamp) -> Result<(Vec<u64>, u64), Error> {
        let log = &*self.parts.log;
        let mut next = 0;
        loop {
            let page = log.read(&Topic::Deliveries, 0, next, READ, std::time::Duration::ZERO).await?;
            let Some(last) = page.last() else { break };
            next = last.offset + 1;
            for entry in &page {
                let record: Option<DeliveryRecord> = message::decode(&entry.payload).ok();
                if let Some(DeliveryRecord { endpoint, what: Delivery::Began { from }, .. }) = record
                    && endpoint == self.endpoint.name
                {
                    return Ok((from, entry.offset + 1));
                }
            }
        }
        let from = log.ends(&Topic::Changes).await?;
        let offset = self.append(Delivery::Began { from: from.clone() }, now).await?;
        Ok((from, offset + 1))
    }

    /// Looks for replays that operators asked for since it last looked.
    async fn look_for_wishes(&mut self, now: Timestamp) -> Result<(), Error> {
        if self.looked_at.is_some_and(|at| (0..LOOK_EVERY_MS).contains(&now.millis_since(at))) {
            return Ok(());
        }
        let log = Arc::clone(&self.parts.log);
        let mut since: Option<Timestamp> = None;
        loop {
            let page = log.read(&Topic::Deliveries, 0, self.wishes.0, READ, std::time::Duration::ZERO).await?;
            let Some(last) = page.last() else { break };
            self.wishes.0 = last.offset + 1;
            for entry in &page {
                let record: Option<DeliveryRecord> = message::decode(&entry.payload).ok();
                if let Some(DeliveryRecord { endpoint, what: Delivery::Replay { since: wished, .. }, .. }) = record
                    && endpoint == self.endpoint.name
                {
                    since = Some(since.map_or(wished, |since| since.min(wished)));
                }
            }
        }
        if let Some(since) = since {
            self.go_back(since).await?;
        }
        if since.is_some() || self.wishes.0 - self.wishes.1 >= NOTE_EVERY {
            log.commit(&self.group, &Topic::Deliveries, 0, self.wishes.0).await?;
            self.wishes.1 = self.wishes.0;
        }
        self.looked_at = Some(now);
        Ok(())
    }

    /// Has everything told again that happened since a moment.
    async fn go_back(&mut self, since: Timestamp) -> Result<(), Error> {
        let log = Arc::clone(&self.parts.log);
        for (number, lane) in (0..).zip(&mut self.lanes) {
            let first = first_since(&*log, number, lane.next, since).await?;
            *lane = LaneOf { noted: lane.noted, ..LaneOf::at(first) };
        }
        self.is_gone = false;
        self.note_lanes().await
    }

    /// Reads what there is to tell, where nothing waits.
    async fn read(&mut self) -> Result<(), Error> {
        let log = &*self.parts.log;
        let empty = (0..).zip(&mut self.lanes).filter(|(_, lane)| lane.rows.is_empty());
        try_join_all(empty.map(|(number, lane)| read_lane(log, number, lane))).await?;
        Ok(())
    }

    /// What is to be told of a lane's next rows; `None` where the event is unknown.
    async fn payloads(&mut self, lane: usize, now: Timestamp) -> Result<Vec<Option<String>>, Error> {
        let mut payloads = Vec::new();
        for (row, _) in self.lanes[lane].rows.iter().take(IN_A_ROW) {
            let hall = self.halls.of(&*self.parts.catalog, &row.booking, now).await?;
            let payload = hall.map(|hall| {
                serde_json::to_string(&Notice::of(row, &hall.event, &hall.venue)).expect("its keys are texts")
            });
            payloads.push(payload);
        }
        Ok(payloads)
    }

    /// Tells a lane's next rows one after the other, up to the first that is not taken.
    async fn tell(&self, lane: usize, payloads: Vec<Option<String>>, now: Timestamp) -> ToldLane {
        let mut told = ToldLane { lane, done: 0, records: Vec::new(), has_failed: false, is_gone: false };
        let kept = &self.lanes[lane];
        for ((row, _), payload) in kept.rows.iter().zip(payloads) {
            let of = Subject::of(row);
            let Some(payload) = payload else {
                let reason = "its event or its venue is unknown".to_owned();
                told.records.push(Delivery::GivenUp { of, reason });
                told.done += 1;
                continue;
            };
            let tries = if told.done == 0 { kept.failures } else { 0 };
            match self.endpoint.hook.hand(&of.hook_id, &payload, self.parts.clock.now()).await {
                Handed::Taken(status) => {
                    told.records.push(Delivery::Taken { of, status, tries });
                    told.done += 1;
                }
                Handed::Gone => {
                    told.records.push(Delivery::Gone);
                    told.is_gone = true;
                    return told;
                }
                Handed::Later(reason) if now.millis_since(row.at) >= self.give_up_after_ms => {
                    told.records.push(Delivery::GivenUp { of, reason });
                    told.done += 1;
                    told.has_failed = true;
                    return told;
                }
                Handed::Later(reason) => {
                    let next_at = now.plus_millis(pause_ms(&of, tries));
                    told.records.push(Delivery::Failed { of, reason, next_at });
                    told.has_failed = true;
                    return told;
                }
            }
        }
        told
    }

    /// Writes down what came of it, and goes on behind it.
    async fn note(&mut self, told: ToldLane, now: Timestamp) -> Result<(), Error> {
        let (name, gauges) = (&self.endpoint.name, &self.gauges);
        for record in &told.records {
            match record {
                Delivery::Taken { .. } => gauges.webhooks_taken_total.add(1),
                Delivery::Failed { of, reason, next_at } => {
                    gauges.webhooks_failed_total.add(1);
                    tracing::warn!(endpoint = %name, hook = %of.hook_id, reason, %next_at, "a webhook was not taken");
                }
                Delivery::GivenUp { of, reason } => {
                    gauges.webhooks_given_up_total.add(1);
                    tracing::error!(endpoint = %name, hook = %of.hook_id, reason, "a webhook is given up");
                }
                Delivery::Gone => tracing::error!(endpoint = %name, "the endpoint wants no more webhooks (410)"),
                Delivery::Began { .. } | Delivery::Replay { .. } => {}
            }
        }
        let next_at = told.records.iter().find_map(|record| match record {
            Delivery::Failed { next_at, .. } => Some(*next_at),
            _ => None,
        });
        try_join_all(told.records.into_iter().map(|record| self.append(record, now))).await?;
        self.is_gone |= told.is_gone;
        let lane = &mut self.lanes[told.lane];
        let was_failing = lane.failures > 0;
        for _ in 0..told.done {
            if let Some((_, behind)) = lane.rows.pop_front() {
                lane.next = behind;
            }
        }
        if lane.rows.is_empty() {
            lane.next = lane.next.max(lane.read);
        }
        if told.done > 0 {
            lane.failures = 0;
        }
        if told.has_failed {
            lane.failures += 1;
            lane.until = next_at;
        } else {
            lane.until = None;
            if was_failing && told.done > 0 {
                // It is back: the other lanes need not wait for their turn.
                self.lanes.iter_mut().for_each(|lane| lane.until = None);
            }
        }
        Ok(())
    }

    async fn note_lanes(&mut self) -> Result<(), Error> {
        let log = &*self.parts.log;
        for (number, lane) in (0..).zip(&mut self.lanes) {
            if lane.rows.is_empty() {
                lane.next = lane.next.max(lane.read);
            }
            if lane.noted != lane.next {
                log.commit(&self.group, &Topic::Changes, number, lane.next).await?;
                lane.noted = lane.next;
            }
        }
        Ok(())
    }

    async fn append(&self, what: Delivery, at: Timestamp) -> PortResult<u64> {
        let record = DeliveryRecord { endpoint: self.endpoint.name.clone(), at, what };
        self.parts.log.append(&Topic::Deliveries, 0, message::encode(&record)).await
    }
}

async fn read_lane(log: &dyn Log, number: Lane, lane: &mut LaneOf) -> PortResult<()> {
    let page = log.read(&Topic::Changes, number, lane.read, READ, std::time::Duration::ZERO).await?;
    for entry in page {
        lane.read = entry.offset + 1;
        match message::decode::<OutboxRow>(&entry.payload) {
            Ok(row) if is_told(&row) => lane.rows.push_back((row, entry.offset + 1)),
            Ok(_) => {}
            Err(error) => tracing::error!(%error, lane = number, offset = entry.offset, "no webhook: it can't be read"),
        }
    }
    Ok(())
}

/// The first entry of a lane that happened at `since` or later, or `end`, up to where it looks.
async fn first_since(log: &dyn Log, number: Lane, end: u64, since: Timestamp) -> PortResult<u64> {
    let mut next = 0;
    while next < end {
        let page = log.read(&Topic::Changes, number, next, READ, std::time::Duration::ZERO).await?;
        for entry in page.iter().filter(|entry| entry.offset < end) {
            if message::decode::<OutboxRow>(&entry.payload).is_ok_and(|row| row.at >= since) {
                return Ok(entry.offset);
            }
        }
        match page.last() {
            Some(last) => next = last.offset + 1,
            None => break,
        }
    }
    Ok(end)
}

/// How long a webhook waits that was not taken `tries` times before.
fn pause_ms(of: &Subject, tries: u32) -> i64 {
    scattered((FIRST_PAUSE_MS << tries.min(16)).min(LONGEST_PAUSE_MS), of.hook_id.as_str(), tries)
}
