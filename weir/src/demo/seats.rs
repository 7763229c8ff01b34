//! Which seats the crowd wants: those in front of the stage, like everybody else.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use crate::api::{
    Answer, Api, ApiError, Call,
    answers::{EventDetails, Seat, SeatStatuses},
};

/// How old the crowd's picture of the live map may be. Within that time visitors run for the same seats.
const STALE_AFTER: Duration = Duration::from_millis(800);
/// Among how many of the best choices a visitor's taste decides.
const AMONG: usize = 6;

/// The event's seats, as everybody sees them.
pub(super) struct Hall {
    rows: Vec<Vec<u32>>,
    seats: Vec<Seat>,
    /// How far each seat is from where everybody wants to sit.
    distance: Vec<f64>,
    live: Mutex<Picture>,
}

struct Picture {
    taken_at: Option<Instant>,
    statuses: Arc<str>,
}

impl Hall {
    /// The hall of an event, in seat order.
    pub(super) fn new(details: EventDetails) -> Self {
        let seats = details.seats;
        let mut rows: Vec<Vec<u32>> = Vec::new();
        let mut last = None;
        for (index, seat) in (0..).zip(&seats) {
            let row = (seat.section.as_str(), seat.row.as_str());
            if last == Some(row)
                && let Some(open) = rows.last_mut()
            {
                open.push(index);
            } else {
                rows.push(vec![index]);
            }
            last = Some(row);
        }
        let front = seats.iter().map(|seat| seat.y).fold(f64::INFINITY, f64::min);
        let middle = seats.iter().map(|seat| seat.x).sum::<f64>() / seats.len().max(1) as f64;
        let distance = seats.iter().map(|seat| (seat.x - middle).hypot(seat.y - front)).collect();
        let live = Mutex::new(Picture { taken_at: None, statuses: "".into() });
        Self { rows, seats, distance, live }
    }

    /// How many seats it has.
    pub(super) fn len(&self) -> usize {
        self.seats.len()
    }

    /// What the live map showed lately.
    pub(super) async fn statuses(&self, api: &Api, event: &str) -> Result<Arc<str>, ApiError> {
        let mut picture = self.live.lock().await;
        if picture.taken_at.is_none_or(|at| at.elapsed() > STALE_AFTER)
            && let Answer::Ok(SeatStatuses { statuses }) =
                api.ask(Call::get(format!("/v1/events/{event}/seats"))).await?
        {
            *picture = Picture { taken_at: Some(Instant::now()), statuses: statuses.into() };
        }
        Ok(picture.statuses.clone())
    }

    /// `count` free seats beside each other that are about the most wanted; `taste` picks one of several such choices.
    pub(super) fn most_wanted(&self, statuses: &str, count: usize, taste: usize) -> Option<Vec<String>> {
        let free = |seat: &u32| statuses.as_bytes().get(*seat as usize) == Some(&b'a');
        let mut choices: Vec<(f64, &[u32])> = self
            .rows
            .iter()
            .flat_map(|row| row.windows(count))
            .filter(|seats| seats.iter().all(free))
            .map(|seats| (seats.iter().map(|seat| self.distance[*seat as usize]).sum(), seats))
            .collect();
        choices.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (_, chosen) = choices.get(taste % choices.len().clamp(1, AMONG))?;
        Some(chosen.iter().map(|seat| self.seats[*seat as usize].seat_id.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hall() -> Hall {
        let seat = |row: &str, number: u32, y: f64| Seat {
            seat_id: format!("{row}{number}"),
            section: "S".to_owned(),
            row: row.to_owned(),
            x: f64::from(number),
            y,
        };
        let seats = (0..5).map(|n| seat("A", n, 0.0)).chain((0..5).map(|n| seat("B", n, 10.0))).collect();
        Hall::new(EventDetails { seats })
    }

    #[test]
    fn the_crowd_wants_the_middle_of_the_front_row() {
        assert_eq!(hall().most_wanted("aaaaaaaaaa", 1, 0), Some(vec!["A2".to_owned()]));
    }

    #[test]
    fn seats_beside_each_other_are_in_one_row_and_free() {
        assert_eq!(
            hall().most_wanted("arabaaaarr", 3, 0),
            Some(vec!["B0".to_owned(), "B1".to_owned(), "B2".to_owned()])
        );
        assert_eq!(hall().most_wanted("arabarabar", 2, 0), None);
    }
}
