//! The shapes of the line's answers, for the API's description. What is sent is `booking-core`'s own.

use utoipa::ToSchema;

/// A place as its owner is shown it.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes booking_core::line::place::PlaceView, which is what is sent")]
pub(crate) struct PlaceView {
    event_id: String,
    /// The token to show from now on.
    place_token: String,
    /// The public entry, 64 hex digits, by which anyone can follow this place through the draw.
    entry: String,
    /// `lobby`, `drawing`, `waiting`, `called`, `admitted`, `lapsed`, `left` or `ended`.
    state: String,
    /// The batch, once drawn.
    batch: Option<u32>,
    /// The index in the batch, once drawn.
    index: Option<u64>,
    /// The number in the calling order, from 0, once drawn.
    rank: Option<u64>,
    /// The number among those not called, from 1; never rises.
    position: Option<u64>,
    /// How many are to be called before.
    ahead: Option<u64>,
    /// How many have joined this line, about.
    joined: u64,
    /// When the place was taken.
    #[schema(format = DateTime)]
    joined_at: String,
    /// How long it may take.
    eta: Option<Eta>,
    /// The window that is open, or the one to come after a lapse.
    turn: Option<Turn>,
    /// Whether the place is over and a new one may be taken, at the end of the line.
    may_rejoin: bool,
    /// When to ask again, in milliseconds.
    poll_after_ms: u64,
    /// What the sale is doing.
    phase: String,
    paused: bool,
    rate_per_minute: u32,
    /// How many have been called.
    served: u64,
    #[schema(format = DateTime)]
    server_time: String,
}

/// How long it may take to be called.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what booking-core sends")]
pub(crate) struct Eta {
    low_seconds: u64,
    high_seconds: u64,
}

/// A window in which to come in.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what booking-core sends")]
pub(crate) struct Turn {
    #[schema(format = DateTime)]
    opens_at: String,
    #[schema(format = DateTime)]
    closes_at: String,
    /// Whether there is none after it.
    last: bool,
}

/// One page of the public draw.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what booking-core sends")]
pub(crate) struct Draw {
    algorithm: String,
    /// The seed chain's first link, published before anybody joined.
    commitment: String,
    chain_length: u32,
    batches: Vec<Batch>,
    /// The batch to ask on from, if there are more.
    next: Option<u32>,
    /// The last record when this was answered.
    head: Head,
}

/// A record, by its number and hash.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what booking-core sends")]
pub(crate) struct Head {
    seq: u64,
    hash: String,
}

/// One closed batch.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what booking-core sends")]
pub(crate) struct Batch {
    index: u32,
    /// The first offset of each lane that is in it.
    start: Vec<u64>,
    /// The first offset of each lane that is not.
    end: Vec<u64>,
    size: u64,
    before: u64,
    /// The Merkle root of the entries (RFC 9162).
    root: String,
    reveal: String,
    beacon: String,
    seed: String,
    #[schema(format = DateTime)]
    closed_at: String,
}

/// One page of a batch's entries, in index order.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what booking-core sends")]
pub(crate) struct Entries {
    entries: Vec<String>,
    /// The index to ask on from, if there are more.
    next: Option<u64>,
}

/// One page of the hash-chained state log. The hash of a record is SHA-256 of its exact text.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what booking-core sends")]
pub(crate) struct Records {
    #[schema(value_type = Vec<Object>)]
    records: Vec<serde_json::Value>,
    /// The number to ask on from, if there are more.
    next: Option<u64>,
}
