//! Obeying the operators: each command is done once, whatever happens in between.
//!
//! The order is: what it will change goes to the audit trail, then it is done, then it is answered, then its entry is
//! noted as done. Wherever that is cut off, the entry comes again, the trail tells that it was begun, and it is done to
//! its end, even if nobody waits any more. A command that was not begun by its deadline is not begun.

use booking_core::{
    booking::CalledOff,
    desk::Ended,
    digest::Digest,
    id::EventId,
    line::keeper::{Opening, open, steer},
    message::{self, OperatorAct, OperatorCommand, Outcome, Refusal, SaleAnnounced},
    ports::{
        PortError,
        catalog::Put,
        log::{Topic, lane_of},
    },
    sale::SalePolicy,
    time::Timestamp,
};

use super::{
    Keeper,
    line::{Line, load_chain},
    moving, rehousing,
    trail::{self, Known},
};
use crate::{Error, outward};

/// Records appended for one command, those that slip in between included.
const MAX_RECORDS: usize = 16;

impl Keeper {
    pub(super) async fn obey(&mut self, command: OperatorCommand, now: Timestamp) -> Result<(), Error> {
        let reply_to = command.reply_to.clone();
        let outcome = match self.carry_out(command, now).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => {
                self.gauges.discarded_total.add(1);
                return Ok(());
            }
            // Trying again would not help, and everything behind it would wait for ever.
            Err(Error::Port(error @ PortError::Damaged { .. })) => outward::unavailable(&error),
            Err(error) => return Err(error),
        };
        self.gauges.commands_total.add(1);
        Ok(outward::reply(&*self.parts.log, vec![(reply_to, outcome)]).await?)
    }

    /// `None`: nobody waits for it any more, and nothing was done.
    async fn carry_out(&mut self, command: OperatorCommand, now: Timestamp) -> Result<Option<Outcome>, Error> {
        let known = trail::look_up(&*self.parts.ledger, &trail::trail_of(&command.act), &command.id).await?;
        if known == Known::New && command.deadline <= now {
            return Ok(None);
        }
        let done = match &command.act {
            OperatorAct::PutVenue { .. } | OperatorAct::PutEvent { .. } => self.put(&command, known, now).await?,
            OperatorAct::CallOff { event, reason } => {
                let (catalog, ledger) = (&*self.parts.catalog, &*self.parts.ledger);
                if catalog.event(event).await?.is_none() {
                    Err(Refusal::NotFound)
                } else {
                    if known == Known::New {
                        ledger.record_audit(&trail::row(&command, None, now)).await?;
                    }
                    ledger.call_off(event, &CalledOff { at: now, reason: reason.clone() }).await?;
                    Ok(Outcome::Done)
                }
            }
            OperatorAct::Move { event, wanted } => {
                moving::move_event(&self.parts, &command, (event, wanted), known, now).await?
            }
            OperatorAct::Rehouse { event, wanted } => {
                let done = rehousing::rehouse(&self.parts, &command, (event, wanted), known, now).await?;
                if let Some(line) = self.lines.get_mut(event) {
                    line.count_again();
                }
                done
            }
            OperatorAct::Configure { event, .. }
            | OperatorAct::Steer { event, .. }
            | OperatorAct::Revoke { event, .. } => {
                let event = event.clone();
                self.change_line(&event, command, known, now).await?
            }
        };
        Ok(Some(done.unwrap_or_else(Outcome::Refused)))
    }

    /// Adds a venue or an event to the catalog.
    async fn put(
        &mut self,
        command: &OperatorCommand,
        known: Known,
        now: Timestamp,
    ) -> Result<Result<Outcome, Refusal>, Error> {
        let (catalog, ledger) = (&*self.parts.catalog, &*self.parts.ledger);
        let invalid = |detail: String| Ok(Err(Refusal::Invalid { detail }));
        let is_taken = match &command.act {
            OperatorAct::PutVenue { venue } => {
                if let Err(why) = venue.check() {
                    return invalid(why.to_string());
                }
                catalog.venue(&venue.venue_id).await?.is_some_and(|there| *there != **venue)
            }
            OperatorAct::PutEvent { event } => {
                let Some(venue) = catalog.venue(&event.venue_id).await? else {
                    return invalid(format!("there is no venue {}", event.venue_id));
                };
                if let Err(why) = event.check(&venue) {
                    return invalid(why.to_string());
                }
                catalog.event(&event.event_id).await?.is_some_and(|there| *there != **event)
            }
            _ => return Ok(Err(Refusal::NotFound)),
        };
        if is_taken {
            return Ok(Err(Refusal::Conflict));
        }
        if known == Known::New {
            ledger.record_audit(&trail::row(command, None, now)).await?;
        }
        let put = match &command.act {
            OperatorAct::PutVenue { venue } => catalog.put_venue(venue).await?,
            OperatorAct::PutEvent { event } => catalog.put_event(event).await?,
            _ => Put::Conflict,
        };
        Ok(if put == Put::Done { Ok(Outcome::Done) } else { Err(Refusal::Conflict) })
    }

    /// Opens, steers or revokes.
    async fn change_line(
        &mut self,
        event: &EventId,
        mut command: OperatorCommand,
        known: Known,
        now: Timestamp,
    ) -> Result<Result<Outcome, Refusal>, Error> {
        if lane_of(event.as_str(), self.parts.log.lanes(&Topic::Commands).await?) != self.lane {
            let detail = format!("the command's key is '{}', which is not its event", command.key);
            return Ok(Err(Refusal::Invalid { detail }));
        }
        if known != Known::New
            && let OperatorAct::Steer { if_version, .. } = &mut command.act
        {
            // It was checked when the command was begun; by now its own records have changed the version.
            *if_version = None;
        }
        if !self.lines.contains_key(event) && !self.take_over(event, now).await? {
            let mut line = Line::new(event.clone(), self.owner.clone(), &self.settings);
            line.read(&*self.parts.log).await?;
            return match &command.act {
                OperatorAct::Configure { policy, .. } if line.state().policy().is_none() => {
                    let policy = policy.clone();
                    self.open_line(line, &command, &policy, known, now).await
                }
                // There is no line, or it has ended: what it says to this is all that can be done.
                act => match steer(line.state(), act, now) {
                    Ok(_) => Ok(Ok(outcome_of(act, line.state().version()))),
                    Err(refusal) => Ok(Err(refusal)),
                },
            };
        }
        let line = self.lines.get_mut(event).expect("it is kept, or was just taken over");
        let log = &*self.parts.log;
        line.refresh(log).await?;
        let mut is_written_down = known != Known::New;
        for _ in 0..MAX_RECORDS {
            if known == Known::Finished {
                break;
            }
            let next = match steer(line.state(), &command.act, now) {
                Ok(records) => records.into_iter().next(),
                Err(refusal) => return Ok(Err(refusal)),
            };
            let Some(record) = next else { break };
            if !is_written_down {
                self.parts.ledger.record_audit(&trail::row(&command, Some(line.state()), now)).await?;
                is_written_down = true;
            }
            line.append(log, record, now).await?;
            if let OperatorAct::Steer { if_version, .. } = &mut command.act {
                *if_version = None;
            }
        }
        let version = line.state().version();
        let policy = line.state().policy().cloned();
        match (&command.act, policy) {
            (OperatorAct::Revoke { session, .. }, _) => {
                self.parts.desk.finish(event, session, Ended::Revoked, now).await?;
            }
            (OperatorAct::Configure { .. }, Some(policy)) => self.announce(event, &policy).await?,
            _ => {}
        }
        Ok(Ok(outcome_of(&command.act, version)))
    }

    /// Lays down a new line.
    async fn open_line(
        &mut self,
        mut line: Line,
        command: &OperatorCommand,
        policy: &SalePolicy,
        known: Known,
        now: Timestamp,
    ) -> Result<Result<Outcome, Refusal>, Error> {
        let event = line.state().event().clone();
        if self.parts.catalog.event(&event).await?.is_none() {
            return Ok(Err(Refusal::NotFound));
        }
        let mut opening = Opening {
            owner: self.owner.clone(),
            commitment: Digest::ZERO,
            chain_length: self.settings.chain_length,
            lanes: self.parts.log.lanes(&Topic::Line(event.clone())).await?,
        };
        // Whether the policy is good is known before the chain is made, which takes a while.
        if let Err(refusal) = open(line.state(), policy, opening.clone(), now) {
            return Ok(Err(refusal));
        }
        if known == Known::New {
            self.parts.ledger.record_audit(&trail::row(command, None, now)).await?;
        }
        let chain = load_chain(&self.parts, &event, opening.chain_length).await?;
        opening.commitment = chain.commitment();
        let opened = match open(line.state(), policy, opening, now) {
            Ok(opened) => opened,
            Err(refusal) => return Ok(Err(refusal)),
        };
        line.append(&*self.parts.log, opened, now).await?;
        line.keep_chain(chain);
        let version = line.state().version();
        self.ended.remove(&event);
        self.lines.insert(event.clone(), line);
        self.announce(&event, policy).await?;
        Ok(Ok(Outcome::Steered { version }))
    }

    /// Tells everybody that the event has a sale, unless they have been told this.
    async fn announce(&mut self, event: &EventId, policy: &SalePolicy) -> Result<(), Error> {
        self.follow_sales().await?;
        if self.announced.get(event) == Some(policy) {
            return Ok(());
        }
        let told = SaleAnnounced { event_id: event.clone(), policy: policy.clone() };
        let log = &*self.parts.log;
        let lane = lane_of(event.as_str(), log.lanes(&Topic::Sales).await?);
        log.append(&Topic::Sales, lane, message::encode(&told)).await?;
        self.announced.insert(event.clone(), policy.clone());
        Ok(())
    }
}

fn outcome_of(act: &OperatorAct, version: u64) -> Outcome {
    match act {
        OperatorAct::Configure { .. } | OperatorAct::Steer { .. } => Outcome::Steered { version },
        _ => Outcome::Done,
    }
}
