//! The indices behind the configured name, and their aliases.
//!
//! | name | of |
//! | --- | --- |
//! | `INDEX` | the index that is searched; an earlier version made an index of this very name |
//! | `INDEX.0123456789abcdef` | an index |
//! | `INDEX.0123456789abcdef.own` | the same, for writes: they ask for an alias, so none makes an index that is gone |
//! | `INDEX.draft` | the draft |
//!
//! No configured name has a `.`, so nobody else's index begins so. An alias that is written through is of one index at a
//! time: the servers refuse what would give it a second one, and that is what decides between two who are at the same.

use booking_core::ports::PortResult;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    client::{Client, unavailable},
    rows,
};

/// How often an index is looked for and made, where others make and remove it all the time.
const TRIES: usize = 3;

/// An index, by the name of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Real {
    pub(super) name: String,
    uuid: String,
}

impl Real {
    /// Which index it is.
    pub(super) fn id(&self) -> String {
        // Its letters are those of base 64 for addresses.
        self.uuid.replace('_', "-")
    }
}

/// The name of an index that is to be made.
pub(super) fn made_up(client: &Client) -> String {
    format!("{}.{}", client.index(), hex::encode(rand::random::<[u8; 8]>()))
}

/// What an index is written through, where it has an alias for that.
pub(super) fn own(name: &str) -> String {
    format!("{name}.own")
}

/// The draft's alias.
pub(super) fn draft(client: &Client) -> String {
    format!("{}.draft", client.index())
}

/// Makes `name`, which gets `alias` if no other index has it.
pub(super) async fn make(client: &Client, name: &str, alias: &str, notes: Value) -> PortResult<(StatusCode, Value)> {
    let mut made = rows::mapping();
    made["mappings"]["_meta"] = notes;
    made["aliases"] = json!({ alias: { "is_write_index": true }, own(name): {} });
    client.ask(Method::PUT, &format!("/{name}"), Some(&made)).await
}

/// The index that `name` is or stands for, if there is one.
pub(super) async fn look(client: &Client, name: &str) -> PortResult<Option<Real>> {
    let (status, answer) = client.ask(Method::GET, &format!("/{name}/_settings/index.uuid"), None).await?;
    if status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let answer = client.require(status, answer)?;
    let found = answer.as_object().and_then(|found| found.iter().next());
    let real = found.and_then(|(name, index)| {
        let uuid = index["settings"]["index"]["uuid"].as_str()?.to_owned();
        Some(Real { name: name.clone(), uuid })
    });
    real.map(Some).ok_or_else(|| client.odd("settings without a uuid"))
}

/// The index that is searched, made where there is none.
pub(super) async fn live(client: &Client) -> PortResult<Real> {
    for _ in 0..TRIES {
        if let Some(live) = look(client, client.index()).await? {
            return Ok(live);
        }
        let (status, answer) = make(client, &made_up(client), client.index(), json!({})).await?;
        // Whatever is said: if another was first, there is one by now.
        if !status.is_success() && look(client, client.index()).await?.is_none() {
            return Err(client.refused(status, &answer));
        }
    }
    Err(unavailable(format!("the index '{}' is removed as often as it is made", client.index())))
}

/// Removes every index of Weir's but those that are searched, and `kept`.
pub(super) async fn remove_others(client: &Client, kept: &str) -> PortResult<()> {
    let answer = client.call(Method::GET, &format!("/{}.*/_alias", client.index()), None).await?;
    let found = answer.as_object().ok_or_else(|| client.odd("aliases that are none"))?;
    for (name, index) in found {
        if name != kept && index["aliases"].get(client.index()).is_none() {
            remove(client, name).await?;
        }
    }
    Ok(())
}

/// Removes an index; one that is gone is no failure.
pub(super) async fn remove(client: &Client, name: &str) -> PortResult<()> {
    match client.ask(Method::DELETE, &format!("/{name}"), None).await? {
        (StatusCode::NOT_FOUND, _) => Ok(()),
        (status, answer) => client.require(status, answer).map(drop),
    }
}
