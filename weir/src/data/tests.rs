use std::os::unix::fs::PermissionsExt as _;

use super::{
    key_ring::{KeyRing, RingName},
    operator_keys::{OperatorKeys, Role},
    *,
};
use crate::system::{SystemClock, SystemEntropy};
use booking_core::ports::clock::Clock as _;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn open_up(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_folder_and_the_keys_made_on_first_start_are_their_owner_s_alone() {
    let parent = tempfile::tempdir().unwrap();
    let folder = DataFolder::open(&parent.path().join("new")).unwrap();

    for name in [RingName::Access, RingName::Place, RingName::Admission, RingName::Ticket] {
        KeyRing::load_or_make(&folder, name, &SystemEntropy).unwrap();
    }

    assert_eq!(mode(folder.path()), 0o700);
    assert_eq!(mode(&folder.path().join("keys")), 0o700);
    for file in ["access", "place", "admission", "ticket"] {
        assert_eq!(mode(&folder.path().join(format!("keys/{file}.json"))), 0o600);
    }
}

#[test]
fn keys_are_the_same_after_a_restart() {
    let parent = tempfile::tempdir().unwrap();
    let folder = DataFolder::open(parent.path()).unwrap();
    let made = KeyRing::load_or_make(&folder, RingName::Place, &SystemEntropy).unwrap();
    let read = KeyRing::load_or_make(&folder, RingName::Place, &SystemEntropy).unwrap();
    assert_eq!(made.keys()[0].id, read.keys()[0].id);
    assert_eq!(made.keys()[0].secret, read.keys()[0].secret);
}

#[test]
fn an_empty_folder_is_made_private_and_one_with_files_must_be() {
    let parent = tempfile::tempdir().unwrap();
    open_up(parent.path(), 0o755);
    assert!(DataFolder::open(parent.path()).is_ok());
    assert_eq!(mode(parent.path()), 0o700);

    std::fs::write(parent.path().join("something"), "").unwrap();
    open_up(parent.path(), 0o750);
    let refusal = DataFolder::open(parent.path()).err().unwrap().to_string();
    assert!(refusal.contains("(mode 750); run: chmod 700 "), "{refusal}");
}

#[test]
fn a_key_file_that_others_can_read_is_refused_with_what_to_do() {
    let parent = tempfile::tempdir().unwrap();
    let folder = DataFolder::open(parent.path()).unwrap();
    KeyRing::load_or_make(&folder, RingName::Access, &SystemEntropy).unwrap();
    open_up(&folder.path().join("keys/access.json"), 0o640);

    let refusal = KeyRing::load_or_make(&folder, RingName::Access, &SystemEntropy).err().unwrap().to_string();

    assert!(refusal.contains("(mode 640); run: chmod 600 "), "{refusal}");
}

#[test]
fn a_ring_may_hold_several_keys_and_the_named_one_signs() {
    let parent = tempfile::tempdir().unwrap();
    let folder = DataFolder::open(parent.path()).unwrap();
    let (old, new) = ("00".repeat(32), "11".repeat(32));
    let ring = format!(
        r#"{{"signing":"0000000b","keys":[{{"id":"0000000a","secret":"{old}"}},{{"id":"0000000b","secret":"{new}"}}]}}"#
    );
    write_private(&folder.path().join("keys/place.json"), ring.as_bytes()).unwrap();

    let ring = KeyRing::load_or_make(&folder, RingName::Place, &SystemEntropy).unwrap();

    assert_eq!(ring.keys().iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), ["0000000b", "0000000a"]);
}

#[test]
fn a_damaged_ring_is_refused_in_one_line_and_never_replaced() {
    let parent = tempfile::tempdir().unwrap();
    let folder = DataFolder::open(parent.path()).unwrap();
    let path = folder.path().join("keys/place.json");
    for damaged in
        ["", "{", r#"{"signing":"x","keys":[]}"#, r#"{"signing":"x","keys":[{"id":"00000001","secret":"00"}]}"#]
    {
        write_private(&path, damaged.as_bytes()).unwrap();
        let refusal = KeyRing::load_or_make(&folder, RingName::Place, &SystemEntropy).err().unwrap().to_string();
        assert!(refusal.contains("is damaged"), "{refusal}");
        assert_eq!(refusal.lines().count(), 1, "{refusal}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), damaged);
    }
}

#[test]
fn a_folder_belongs_to_one_process_at_a_time() {
    let parent = tempfile::tempdir().unwrap();
    let first = DataFolder::lock(parent.path()).unwrap();
    let refusal = DataFolder::lock(parent.path()).err().unwrap().to_string();
    assert!(refusal.contains("is in use by another weir"), "{refusal}");
    drop(first);
    assert!(DataFolder::lock(parent.path()).is_ok());
}

#[test]
fn an_operator_key_is_kept_as_its_digest_alone() {
    let parent = tempfile::tempdir().unwrap();
    let folder = DataFolder::open(parent.path()).unwrap();
    let keys = OperatorKeys::of(&folder);

    let key = keys.add("ann", Role::Operator, &SystemEntropy, SystemClock.now()).unwrap();

    let kept = std::fs::read_to_string(folder.path().join("operator-keys.json")).unwrap();
    assert!(!kept.contains(&key) && !kept.contains(key.strip_prefix(operator_keys::PREFIX).unwrap()));
    assert_eq!(keys.list().unwrap()[0].sha256, booking_core::digest::Digest::of(&[key.as_bytes()]));
    assert_eq!(mode(&folder.path().join("operator-keys.json")), 0o600);
}

#[test]
fn a_name_has_one_live_key_and_may_be_used_again_after_it_is_revoked() {
    let parent = tempfile::tempdir().unwrap();
    let folder = DataFolder::open(parent.path()).unwrap();
    let keys = OperatorKeys::of(&folder);
    let add = || keys.add("ann", Role::Viewer, &SystemEntropy, SystemClock.now());

    add().unwrap();
    assert!(add().is_err());
    keys.revoke("ann", SystemClock.now()).unwrap();
    assert!(keys.revoke("ann", SystemClock.now()).is_err());
    add().unwrap();

    assert_eq!(keys.list().unwrap().iter().filter(|key| key.revoked_at.is_none()).count(), 1);
}
