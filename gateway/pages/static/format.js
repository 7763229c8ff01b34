// Numbers, money, times and durations as text. Pure: what is shown depends on the arguments alone.

/** How many digits a currency's minor unit has. */
function minorDigits(currency) {
  return new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits;
}

/** An amount in the minor unit, such as 4500 EUR, as `45.00 EUR`. */
export function money(amount, currency, lang) {
  try {
    const digits = minorDigits(currency);
    const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    return `${new Intl.NumberFormat(lang, options).format(amount / 10 ** digits)} ${currency}`;
  } catch {
    return `${amount} ${currency ?? ""}`.trim();
  }
}

/** A whole number with the language's grouping. */
export function count(value, lang) {
  return new Intl.NumberFormat(lang).format(value);
}

/** A time in the visitor's zone, with the zone named. */
export function moment(time, lang) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return String(time ?? "");
  const options = {
    year: "numeric",
    month: "long",
    day: "numeric",
    hour: "numeric",
    minute: "2-digit",
    timeZoneName: "short",
  };
  return new Intl.DateTimeFormat(lang, options).format(date);
}

/** A clock face such as `9:05` or `1:02:30`; what has begun counts, so it shows 0:00 only at the end. */
export function clockFace(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const two = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** A duration in words, its two largest units. */
export function duration(milliseconds, t) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor((seconds % 86400) / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const units = [
    [days, () => t("common-days", { n: days })],
    [hours, () => t("common-hours", { n: hours })],
    [minutes, () => t("common-minutes", { n: minutes })],
    [seconds % 60, () => t("common-seconds", { n: seconds % 60 })],
  ];
  const first = units.findIndex(([value]) => value > 0);
  if (first === -1) return t("common-seconds", { n: 0 });
  const large = units[first][1]();
  const next = units[first + 1];
  return next && next[0] > 0 ? t("common-two-units", { large, small: next[1]() }) : large;
}

/** A countdown's text: a clock face under a day, words above. */
export function countdown(milliseconds, t) {
  return milliseconds >= 86_400_000 ? duration(milliseconds, t) : clockFace(milliseconds);
}

/** The likely wait, as a band in words that doesn't promise more than is known. */
export function waitBand(eta, t) {
  if (!eta) return t("room-eta-unknown");
  if (eta.highSeconds <= 60) return t("room-eta-soon");
  const low = Math.round(eta.lowSeconds / 60);
  const high = Math.ceil(eta.highSeconds / 60);
  const words = t("room-eta-minutes", { n: high });
  return low < 1 || low === high ? t("room-eta-about", { high: words }) : t("room-eta-band", { low, high: words });
}
