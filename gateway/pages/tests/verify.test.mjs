// The draw's check against public vectors and against records made here. Run: node --test gateway/pages/tests/

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import test from "node:test";

import {
  brokenCommitment,
  brokenSeed,
  brokenSequence,
  createRecordCheck,
  fromHex,
  merkleRoot,
  NO_RECORD,
  ownRank,
  seedOf,
  shuffledIndex,
  toHex,
} from "../static/verify.js";

const { vectors } = JSON.parse(readFileSync(new URL("draw-vectors.json", import.meta.url)));
const hash = (...parts) => {
  const sum = createHash("sha256");
  for (const part of parts) sum.update(part);
  return sum.digest();
};

/** The RFC's recursive definition, as it is written there. */
function rfcRoot(entries) {
  if (entries.length === 0) return hash();
  if (entries.length === 1) return hash(Uint8Array.of(0), entries[0]);
  let split = 1;
  while (split * 2 < entries.length) split *= 2;
  return hash(Uint8Array.of(1), rfcRoot(entries.slice(0, split)), rfcRoot(entries.slice(split)));
}

const entriesOf = (count, salt) => Array.from({ length: count }, (_, i) => hash(`${salt}/${i}`).toString("hex"));

/** A whole small sale: secrets, draws and records that agree. */
async function smallSale(sizes) {
  const secrets = [hash("the last secret")];
  while (secrets.length <= sizes.length) secrets.unshift(hash(secrets[0]));
  const hex = secrets.map((secret) => secret.toString("hex"));
  const batches = [];
  let before = 0;
  for (const [index, size] of sizes.entries()) {
    const entries = entriesOf(size, index);
    const batch = {
      index,
      start: [before],
      end: [before + size],
      size,
      before,
      root: rfcRoot(entries.map((entry) => Buffer.from(entry, "hex"))).toString("hex"),
      reveal: hex[index + 1],
      beacon: "",
    };
    batch.seed = await seedOf(batch);
    batches.push(batch);
    before += size;
  }
  const kinds = [
    { kind: "opened", commitment: hex[0], chainLength: sizes.length },
    ...batches.map(({ index, ...rest }) => ({ kind: "batchClosed", batch: index, ...rest })),
    { kind: "served", upTo: 3 },
  ];
  let prev = NO_RECORD;
  const records = kinds.map((kind, seq) => {
    const record = { seq, prev, epoch: 1, at: "2030-06-20T10:00:00.000Z", ...kind };
    prev = hash(JSON.stringify(record)).toString("hex");
    return record;
  });
  return { commitment: hex[0], batches, records };
}

async function feedAll(records) {
  const check = createRecordCheck();
  for (const record of records) if (!(await check.feed(record))) return { check, broken: check.count() };
  return { check, broken: -1 };
}

test("the shuffle gives the public vectors", async () => {
  assert.ok(vectors.length > 0);
  for (const { seed, count, shuffled } of vectors) {
    const own = await Promise.all(shuffled.map((_, index) => shuffledIndex(index, count, fromHex(seed))));
    assert.deepEqual(own, shuffled, `seed ${seed}`);
  }
});

test("the shuffle refuses an index outside the batch", async () => {
  await assert.rejects(shuffledIndex(3, 3, new Uint8Array(32)), RangeError);
});

test("the Merkle root is the RFC's, for every small size", async () => {
  for (let count = 0; count <= 40; count += 1) {
    const entries = entriesOf(count, "entry").map(fromHex);
    assert.equal(toHex(await merkleRoot(entries)), toHex(rfcRoot(entries)), `${count} entries`);
  }
});

test("a sound sale passes every check", async () => {
  const { commitment, batches, records } = await smallSale([7, 1, 12]);
  const { check, broken } = await feedAll(records);
  assert.equal(broken, -1);
  assert.equal(check.count(), 5);
  assert.equal(check.unrecorded(commitment, batches), -1);
  assert.equal(await brokenCommitment(commitment, batches), -1);
  assert.equal(brokenSequence(batches), -1);
  assert.equal(await brokenSeed(batches), -1);
});

test("everybody in a batch calculates a rank of their own, and only those of the batch", async () => {
  const { batches } = await smallSale([7, 1, 12]);
  const batch = batches[2];
  const entries = entriesOf(12, 2);
  const all = await Promise.all(entries.map((entry) => ownRank({ batch, entries, entry })));
  assert.deepEqual(all.map(({ index }) => index), entries.map((_, index) => index));
  assert.ok(all.every(({ root }) => root === batch.root));
  const ranks = all.map(({ rank }) => rank).sort((a, b) => a - b);
  assert.deepEqual(ranks, Array.from({ length: 12 }, (_, i) => 8 + i));
});

test("a changed record, secret, root, size or lot is found and named", async () => {
  const sound = await smallSale([7, 1, 12]);
  const change = (batch, key, value) => {
    const batches = structuredClone(sound.batches);
    batches[batch][key] = value;
    return batches;
  };
  const other = hash("other").toString("hex");

  const records = structuredClone(sound.records);
  records[2].size = 2;
  assert.equal((await feedAll(records)).broken, 3, "the record after the changed one doesn't fit");

  assert.equal(await brokenCommitment(sound.commitment, change(1, "reveal", other)), 1);
  assert.equal(await brokenCommitment(other, sound.batches), 0);
  assert.equal(brokenSequence(change(2, "before", 9)), 2);
  assert.equal(brokenSequence(change(1, "size", 2)), 1);
  assert.equal(brokenSequence(change(1, "start", [6])), 1);
  assert.equal(brokenSequence(sound.batches.slice(1)), 1);
  assert.equal(await brokenSeed(change(0, "root", other)), 0);
  assert.equal(await brokenSeed(change(2, "seed", other)), 2);
  const { check } = await feedAll(sound.records);
  assert.equal(check.unrecorded(sound.commitment, change(1, "root", other)), 1);
  assert.equal(check.unrecorded(other, sound.batches), 0);
});

test("an entry that was left out or swapped changes the root", async () => {
  const { batches } = await smallSale([7]);
  const entries = entriesOf(7, 0);
  const own = await ownRank({ batch: batches[0], entries: entries.slice(0, 6), entry: entries[0] });
  assert.notEqual(own.root, batches[0].root);
  const gone = await ownRank({ batch: batches[0], entries, entry: hash("nobody").toString("hex") });
  assert.equal(gone.index, -1);
  assert.equal(gone.rank, null);
});

test("a beacon becomes part of the lot", async () => {
  const { batches } = await smallSale([3]);
  assert.notEqual(await seedOf({ ...batches[0], beacon: "00ff" }), batches[0].seed);
});

test("what is no hex is refused", () => {
  for (const text of ["0", "0g", undefined, "0x00"]) assert.throws(() => fromHex(text));
});
