// The mathematics of the draw's check, on WebCrypto alone; node imports it too. What is checked is described in
// the project's design: record chain, commitment chain, Merkle root (RFC 9162, 2.1), lot, shuffle (swap-or-not as in
// Ethereum's consensus specification, phase 0, compute_shuffled_index).

const SHUFFLE_ROUNDS = 90;
const DRAW_TAG = new TextEncoder().encode("weir/draw/v1");
/** How many hashes are under way at once: WebCrypto answers each by a promise of its own. */
const HASHES_AT_ONCE = 4096;

/** `prev` of the first record. */
export const NO_RECORD = "0".repeat(64);

/** Whether this context may hash: browsers allow it on https and on localhost only. */
export const canVerify = () => Boolean(globalThis.crypto?.subtle);

/** Bytes of lower-case or upper-case hex; throws on anything else. */
export function fromHex(text) {
  if (typeof text !== "string" || text.length % 2 || /[^0-9a-f]/i.test(text)) throw new Error("not hex");
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

/** Lower-case hex. */
export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** SHA-256 of the parts, one after the other. */
export async function sha256(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await globalThis.crypto.subtle.digest("SHA-256", all));
}

/** Where the shuffle moves `index` among `count`, by a seed of 32 bytes. */
export async function shuffledIndex(index, count, seed) {
  if (!(index >= 0 && index < count)) throw new RangeError("index outside the batch");
  let at = index;
  for (let round = 0; round < SHUFFLE_ROUNDS; round += 1) {
    const pivotHash = await sha256(seed, Uint8Array.of(round));
    const pivot = Number(new DataView(pivotHash.buffer).getBigUint64(0, true) % BigInt(count));
    const flip = (pivot + count - at) % count;
    const position = Math.max(at, flip);
    const block = new Uint8Array(4);
    new DataView(block.buffer).setUint32(0, Math.floor(position / 256), true);
    const source = await sha256(seed, Uint8Array.of(round), block);
    const byte = source[Math.floor((position % 256) / 8)];
    if ((byte >> (position % 8)) & 1) at = flip;
  }
  return at;
}

/** Hashes many inputs, each a list of parts, telling how many are done. */
async function hashAll(inputs, onProgress) {
  const hashes = [];
  for (let at = 0; at < inputs.length; at += HASHES_AT_ONCE) {
    const some = inputs.slice(at, at + HASHES_AT_ONCE);
    hashes.push(...(await Promise.all(some.map((parts) => sha256(...parts)))));
    onProgress?.(some.length);
  }
  return hashes;
}

/**
 * The Merkle root of entries (bytes each). The RFC splits at the largest power of two below n; pairing level by
 * level, with an odd last node carried up, builds the same tree.
 */
export async function merkleRoot(entries, onProgress) {
  if (!entries.length) return sha256();
  const leaf = Uint8Array.of(0);
  const inner = Uint8Array.of(1);
  let level = await hashAll(entries.map((entry) => [leaf, entry]), onProgress);
  while (level.length > 1) {
    const pairs = [];
    for (let i = 0; i + 1 < level.length; i += 2) pairs.push([inner, level[i], level[i + 1]]);
    const odd = level.length % 2 ? [level.at(-1)] : [];
    level = [...(await hashAll(pairs)), ...odd];
  }
  return level[0];
}

/** The lot of a batch, in hex. */
export async function seedOf({ reveal, root, beacon }) {
  return toHex(await sha256(DRAW_TAG, fromHex(reveal), fromHex(root), fromHex(beacon ?? "")));
}

/** What a draw's record and its publication have in common. */
const drawText = ({ start, end, size, before, root, reveal, beacon, seed }) =>
  JSON.stringify([start, end, size, before, root, reveal, beacon ?? "", seed]);

/** Follows the hash-chained record: feed it records in order; it returns false at the first that doesn't fit. */
export function createRecordCheck() {
  let expected = NO_RECORD;
  let count = 0;
  let commitment;
  const draws = new Map();
  return {
    async feed(record) {
      if (record.prev !== expected) return false;
      expected = toHex(await sha256(new TextEncoder().encode(JSON.stringify(record))));
      count += 1;
      if (record.kind === "opened") commitment = record.commitment;
      if (record.kind === "batchClosed") draws.set(record.batch, drawText(record));
      return true;
    },
    count: () => count,
    /** Index of the first batch that is published otherwise than the records have it (0 if the seal is); or -1. */
    unrecorded(published, batches) {
      if (published !== commitment) return 0;
      return batches.find((batch) => draws.get(batch.index) !== drawText(batch))?.index ?? -1;
    },
  };
}

/** Index of the first batch whose secret doesn't lead to the one before it (the commitment, for the first); or -1. */
export async function brokenCommitment(commitment, batches) {
  let expected = commitment;
  for (const batch of batches) {
    if (toHex(await sha256(fromHex(batch.reveal))) !== expected) return batch.index;
    expected = batch.reveal;
  }
  return -1;
}

/** Index of the first batch that leaves a gap to those before, in its number, size or lanes; or -1. */
export function brokenSequence(batches) {
  let before = 0;
  let ends;
  for (const [number, batch] of batches.entries()) {
    const sizes = batch.end.reduce((sum, end, lane) => sum + end - batch.start[lane], 0);
    const joined = !ends || ends.every((end, lane) => end === batch.start[lane]);
    if (batch.index !== number || batch.before !== before || batch.size !== sizes || !joined) return batch.index;
    before += batch.size;
    ends = batch.end;
  }
  return -1;
}

/** Index of the first batch whose published lot doesn't come from its secret and its root; or -1. */
export async function brokenSeed(batches) {
  for (const batch of batches) if ((await seedOf(batch)) !== batch.seed) return batch.index;
  return -1;
}

/**
 * A visitor's own check in their batch: entries in hex, in index order.
 * Returns the root that was calculated, the own index (-1 if absent) and the rank.
 */
export async function ownRank({ batch, entries, entry, onProgress }) {
  const root = toHex(await merkleRoot(entries.map(fromHex), onProgress));
  const index = entries.indexOf(entry);
  const seed = fromHex(await seedOf({ ...batch, root }));
  const rank = index === -1 ? null : batch.before + (await shuffledIndex(index, entries.length, seed));
  return { root, index, rank };
}
