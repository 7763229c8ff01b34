//! The operator, who sets the sale up and steers it at random; and the accidents that are nobody's.

use std::rc::Rc;

use booking_core::{
    message::{OperatorAct, Outcome, Refusal},
    ports::{clock::Entropy as _, log::Log as _},
};

use super::visitor::Scene;

/// Sets the sale up, however often it takes, then steers it now and then until it is over.
pub(super) async fn operate(scene: Rc<Scene>) {
    let (dice, clock) = (scene.heavens.dice.clone(), scene.heavens.clock.clone());
    let setup = [
        OperatorAct::PutVenue { venue: Box::new(scene.sale.venue.clone()) },
        OperatorAct::PutEvent { event: Box::new(scene.sale.event.clone()) },
        OperatorAct::Configure { event: scene.sale.id(), policy: scene.sale.policy.clone() },
    ];
    for act in setup {
        while !command(&scene, act.clone()).await {
            clock.sleep(dice.range(50..=800)).await;
        }
    }
    let is_steered = dice.chance(600);
    while !scene.heavens.is_calm() {
        clock.sleep(dice.range(2_000..=15_000)).await;
        if is_steered && let Some(act) = some_act(&scene) {
            let is_pause = matches!(act, OperatorAct::Steer { paused: Some(true), .. });
            command(&scene, act).await;
            if is_pause {
                clock.sleep(dice.range(500..=8_000)).await;
                let resume = steer(&scene, None, None, Some(false));
                for _ in 0..10 {
                    if command(&scene, resume.clone()).await {
                        break;
                    }
                }
            }
        }
    }
}

/// True: it was answered, and a later one need not be sent.
async fn command(scene: &Scene, act: OperatorAct) -> bool {
    let dice = &scene.heavens.dice;
    let id = hex::encode(dice.id_bytes());
    let gateway = dice.pick(&scene.gateways);
    match gateway.command(&id, act).await {
        Ok(Outcome::Refused(Refusal::Unavailable { .. })) | Err(_) => false,
        Ok(_) => true,
    }
}

fn steer(scene: &Scene, rate_per_minute: Option<u32>, max_active: Option<u32>, paused: Option<bool>) -> OperatorAct {
    OperatorAct::Steer { event: scene.sale.id(), rate_per_minute, max_active, paused, if_version: None }
}

fn some_act(scene: &Scene) -> Option<OperatorAct> {
    let dice = &scene.heavens.dice;
    match dice.range(0..=3) {
        0 => Some(steer(scene, Some(dice.pick(&[10, 59, 60, 120, 600, 2_000])), None, None)),
        1 => Some(steer(scene, None, Some(dice.count(1..=40)), None)),
        2 => Some(steer(scene, None, None, Some(true))),
        _ => {
            let sessions = scene.sessions.borrow();
            let session = (!sessions.is_empty()).then(|| dice.pick(&sessions))?;
            Some(OperatorAct::Revoke { event: scene.sale.id(), session })
        }
    }
}

/// Carries what was delayed, for ever.
pub(super) async fn carry(scene: Rc<Scene>) {
    let clock = &scene.heavens.clock;
    let mut bag = Vec::new();
    loop {
        let now = clock.now();
        bag.extend(
            scene.observer.take_late().into_iter().map(|(ms, to, lane, what)| (now.plus_millis(ms), to, lane, what)),
        );
        let (due, later): (Vec<_>, Vec<_>) = bag.into_iter().partition(|(at, ..)| *at <= now);
        bag = later;
        for (_, topic, lane, payload) in due {
            _ = scene.stores.log.append(&topic, lane, payload).await;
        }
        clock.sleep(150).await;
    }
}

/// Loses the hold table, or the answers that are under way, now and then.
pub(super) async fn lose(scene: Rc<Scene>) {
    let (dice, clock) = (scene.heavens.dice.clone(), scene.heavens.clock.clone());
    while !scene.heavens.is_calm() {
        clock.sleep(dice.range(4_000..=60_000)).await;
        if dice.chance(600) {
            scene.stores.holds.lose();
        } else {
            scene.stores.log.restart();
        }
    }
}
