// Scans that could not be sent: kept in this browser, in their order, up to a limit.

/** The most scans that are kept; what a batch takes. */
export const MAX_KEPT = 1000;

/** The scans kept under `key` of `storage`. */
export function keptScans(storage, key) {
  const read = () => {
    try {
      const kept = JSON.parse(storage.getItem(key) ?? "[]");
      return Array.isArray(kept) ? kept : [];
    } catch {
      return [];
    }
  };
  const write = (kept) => storage.setItem(key, JSON.stringify(kept));
  return {
    all: read,
    /** False: there is no room. */
    add(scan) {
      const kept = read();
      if (kept.length >= MAX_KEPT) return false;
      try {
        write([...kept, scan]);
        return true;
      } catch {
        return false;
      }
    },
    /** Forgets those that were sent. */
    sent(scans) {
      const ids = new Set(scans.map((scan) => scan.scanId));
      write(read().filter((scan) => !ids.has(scan.scanId)));
    },
  };
}
