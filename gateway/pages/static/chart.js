// The console's chart: three lines over time, told apart by colour, dashes and labels at their ends.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 720;
const HEIGHT = 280;
const LEFT = 48;
const RIGHT = 120;
const TOP = 12;
const BOTTOM = 28;

/** What is drawn, in the order of the legend. */
export const SERIES = ["waiting", "admitted", "booked"];

/** A round number at or above a value: 1, 2 or 5 times a power of ten. */
export function roundUp(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((round) => round >= value);
}

/**
 * Keeps at most `most` samples: when full, every second of the older half goes, so that a whole sale fits and the
 * last minutes stay exact.
 */
export function keepSamples(samples, sample, most = 600) {
  const all = [...samples, sample];
  if (all.length <= most) return all;
  const half = Math.floor(all.length / 2);
  return all.filter((_, index) => index >= half || index % 2 === 0);
}

/** Moves labels apart that would lie on each other; takes and returns their heights, in the same order. */
export function spreadLabels(heights, gap) {
  const order = heights.map((y, index) => ({ y, index })).sort((a, b) => a.y - b.y);
  for (let i = 1; i < order.length; i += 1) order[i].y = Math.max(order[i].y, order[i - 1].y + gap);
  const result = [...heights];
  for (const { y, index } of order) result[index] = y;
  return result;
}

function shape(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

/** Draws samples ({at, waiting, admitted, booked}); `labels` names the series, `number` and `time` format. */
export function drawChart(svg, samples, { labels, number, time }) {
  if (!samples.length) return;
  const [first, last] = [samples[0], samples.at(-1)];
  const span = Math.max(1000, last.at - first.at);
  const top = roundUp(samples.reduce((most, one) => Math.max(most, ...SERIES.map((key) => one[key])), 0));
  const x = (at) => LEFT + ((at - first.at) / span) * (WIDTH - LEFT - RIGHT);
  const y = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
  const nodes = [];
  for (const part of [0, 0.5, 1]) {
    const height = y(top * part);
    nodes.push(shape("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: height, y2: height, class: "chart-grid" }));
    if (Number.isInteger(top * part)) {
      nodes.push(shape("text", { x: LEFT - 6, y: height + 4, class: "chart-axis chart-axis-y" }, number(top * part)));
    }
  }
  nodes.push(shape("text", { x: LEFT, y: HEIGHT - 8, class: "chart-axis" }, time(first.at)));
  nodes.push(shape("text", { x: WIDTH - RIGHT, y: HEIGHT - 8, class: "chart-axis chart-axis-end" }, time(last.at)));
  const ends = spreadLabels(SERIES.map((key) => y(last[key])), 16);
  SERIES.forEach((key, index) => {
    const points = samples.map((sample) => `${x(sample.at).toFixed(1)},${y(sample[key]).toFixed(1)}`).join(" ");
    nodes.push(shape("polyline", { points, class: `chart-line chart-${key}` }));
    nodes.push(shape("text", { x: WIDTH - RIGHT + 8, y: ends[index] + 4, class: `chart-label chart-${key}` }, labels[key]));
  });
  svg.replaceChildren(...svg.querySelectorAll("title"), ...nodes);
}
