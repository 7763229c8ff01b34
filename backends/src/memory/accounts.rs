//! The refresh families in memory.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use booking_core::{
    ports::{
        PortResult,
        accounts::{FamilyId, RefreshFamilies, Rotation},
    },
    time::Timestamp,
};

use super::locked;

/// Refresh families in memory; its clones share them. A family is forgotten once its time is over.
#[derive(Debug, Clone, Default)]
pub struct MemoryRefreshFamilies(Arc<Mutex<Families>>);

#[derive(Debug, Default)]
struct Families {
    known: HashMap<FamilyId, Family>,
    by_end: BTreeSet<(Timestamp, FamilyId)>,
}

#[derive(Debug, Clone, Copy)]
struct Family {
    /// The serial of the token that works next; `None`: none ever will.
    next: Option<u64>,
    expires_at: Timestamp,
}

impl Families {
    fn rotate(&mut self, id: FamilyId, serial: u64, expires_at: Timestamp, now: Timestamp) -> Rotation {
        while let Some((_, over)) = self.by_end.first().copied().filter(|(end, _)| *end <= now) {
            self.by_end.pop_first();
            self.known.remove(&over);
        }
        // A forgotten family must not begin anew at serial 0.
        if expires_at <= now {
            return Rotation::Revoked;
        }
        let family = self.known.entry(id).or_insert(Family { next: Some(0), expires_at });
        self.by_end.remove(&(family.expires_at, id));
        family.expires_at = family.expires_at.max(expires_at);
        self.by_end.insert((family.expires_at, id));
        family.next = family.next.filter(|next| *next == serial).and_then(|next| next.checked_add(1));
        family.next.map_or(Rotation::Revoked, Rotation::Next)
    }
}

#[async_trait]
impl RefreshFamilies for MemoryRefreshFamilies {
    async fn rotate(
        &self,
        family: FamilyId,
        serial: u64,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> PortResult<Rotation> {
        Ok(locked(&self.0).rotate(family, serial, expires_at, now))
    }
}
