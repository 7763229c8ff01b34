// How the console words a state in the audit trail. Pure.

/** A state before or after, as `name: value` pairs rather than JSON. */
export function describe(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "object") return String(value);
  const pairs = Object.entries(value).map(([key, inner]) => `${key}: ${describe(inner)}`);
  return pairs.join(", ") || "–";
}
