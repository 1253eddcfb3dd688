/** One panel of lines as SVG, without a browser: what it looks like follows from its data alone. */
import { scaleLinear, scaleUtc } from 'd3-scale';
import { area, line, stack } from 'd3-shape';

import type { Series, Threshold } from './dashboard.ts';
import { inUnit, stepOf } from './units.ts';

export interface ChartOptions {
  /** In pixels. */
  readonly width: number;
  readonly height: number;
  /** Seconds since 1970. */
  readonly from: number;
  readonly to: number;
  readonly unit: string;
  readonly isStacked: boolean;
  /** Where the axis begins; undefined: at the smallest value. */
  readonly min: number | undefined;
  /** Shown as dashed lines where the data comes near. */
  readonly thresholds: readonly Threshold[];
}

/** Told apart by people who do not see all colors (Okabe and Ito), and on white. */
const COLORS = [
  '#0072b2',
  '#d55e00',
  '#009e73',
  '#cc79a7',
  '#e69f00',
  '#56b4e9',
  '#6a51a3',
  '#666666',
  '#8c2d04',
  '#a6761d',
] as const;

const MARGIN = { top: 8, right: 14, bottom: 20, left: 62 } as const;
const LABEL_HEIGHT = 34;
const LABEL_WIDTH = 90;
/** A line ends where scrapes are missing for longer, as Prometheus itself has it. */
const GAP_STEPS = 3;

/** Returns the color of the line with this number, from 0. */
export function colorOf(index: number): string {
  return COLORS[index % COLORS.length] ?? COLORS[0];
}

/** Returns an svg element with axes, thresholds and lines. Throws for a unit that cannot be drawn. */
export function drawChart(series: readonly Series[], options: ChartOptions): string {
  const { width, height, from, to, unit, isStacked, min, thresholds } = options;
  const times = [...new Set(series.flatMap(({ points }) => points.map(([at]) => at)))].sort((a, b) => a - b);
  const layers = isStacked ? stacked(series, times) : lines(series, times);
  const tops = layers.flatMap(({ values }) => values.flatMap((value) => (value === undefined ? [] : [value[1]])));
  const [least, most] = domainOf(tops, min);
  // round numbers of what they are shown in: minutes, not seconds, from two minutes on
  const step = stepOf(most, unit);
  const labels = Math.max(2, Math.floor((height - MARGIN.top - MARGIN.bottom) / LABEL_HEIGHT));
  const inSteps = scaleLinear()
    .domain([least / step, most / step])
    .range([height - MARGIN.bottom, MARGIN.top])
    .nice(labels);
  const y = (value: number): number => inSteps(value / step);
  const x = scaleUtc()
    .domain([from * 1000, to * 1000])
    .range([MARGIN.left, width - MARGIN.right]);
  const [low = 0, high = 0] = inSteps.domain().map((value) => value * step);
  const dashed = thresholds.filter(({ value }) => value !== null && value > low && value <= high);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    ...inSteps.ticks(labels).map((tick) => horizontal(inSteps(tick), width, inUnit(tick * step, unit))),
    ...x
      .ticks(Math.floor((width - MARGIN.left) / LABEL_WIDTH))
      .map((tick) => vertical(x(tick), height, tick.toISOString().slice(11, 19).replace(/:00$/, ''))),
    ...layers.map(({ values }, index) => drawLayer(values, index, times, isStacked, { x, y })),
    ...dashed.map(({ value, color }) => threshold(y(value ?? 0), width, color)),
    '</svg>',
  ].join('\n');
}

interface Layer {
  /** From where to where at each time; undefined: there is no value. */
  readonly values: readonly (readonly [number, number] | undefined)[];
}

function lines(series: readonly Series[], times: readonly number[]): readonly Layer[] {
  return series.map(({ points }) => {
    const byTime = new Map(points);
    const values = times.map((at) => {
      const value = byTime.get(at);
      return value === undefined ? undefined : ([0, value] as const);
    });
    return { values };
  });
}

/** One above the other; what is missing takes no room. */
function stacked(series: readonly Series[], times: readonly number[]): readonly Layer[] {
  const byTime = series.map(({ points }) => new Map(points));
  const keys = series.map((_, index) => index);
  const rows = stack<number, number>()
    .keys(keys)
    .value((at, index) => byTime[index]?.get(at) ?? 0)(times);
  return rows.map((row, index) => ({
    values: row.map(([bottom, top], place) => (byTime[index]?.has(times[place] ?? 0) ? [bottom, top] : undefined)),
  }));
}

function domainOf(values: readonly number[], min = Math.min(...values)): [low: number, high: number] {
  const high = Math.max(min, ...values);
  return min === high ? [min, min + 1] : [min, high];
}

/** A small chart without axes, for behind a figure: over its whole width, from zero. */
export function drawSpark(points: Series['points'], width: number, height: number, color: string): string {
  const times = points.map(([at]) => at);
  const x = scaleLinear()
    .domain([times[0] ?? 0, times.at(-1) ?? 0])
    .range([0, width]);
  const values = points.map(([, value]) => value);
  const y = scaleLinear().domain(domainOf(values, 0)).range([height, 2]);
  const fill = area<Place>()
    .defined(({ value }) => value !== undefined)
    .x(({ at }) => x(at))
    .y0(height)
    .y1(({ value }) => y(value?.[1] ?? 0))
    .digits(1);
  const places = withGaps(
    values.map((value) => [0, value] as const),
    times,
  );
  return (
    `<svg class="spark" xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">` +
    `<path d="${fill(places) ?? ''}" fill="${color}" fill-opacity="0.12"/></svg>`
  );
}

function drawLayer(
  values: Layer['values'],
  index: number,
  times: readonly number[],
  isStacked: boolean,
  { x, y }: { readonly x: (at: number) => number; readonly y: (value: number) => number },
): string {
  const color = colorOf(index);
  const places = withGaps(values, times);
  const top = line<Place>()
    .defined(({ value }) => value !== undefined)
    .x(({ at }) => x(at * 1000))
    .y(({ value }) => y(value?.[1] ?? 0))
    .digits(1);
  const fill = area<Place>()
    .defined(({ value }) => value !== undefined)
    .x(({ at }) => x(at * 1000))
    .y0(({ value }) => y(value?.[0] ?? 0))
    .y1(({ value }) => y(value?.[1] ?? 0))
    .digits(1);
  const under = isStacked ? `<path d="${fill(places) ?? ''}" fill="${color}" fill-opacity="0.3"/>` : '';
  return `${under}<path d="${top(places) ?? ''}" fill="none" stroke="${color}" stroke-width="1.5" stroke-linejoin="round"/>`;
}

interface Place {
  readonly at: number;
  readonly value: readonly [number, number] | undefined;
}

/** The values of a line, with a hole where none has been for some steps. */
function withGaps(values: Layer['values'], times: readonly number[]): readonly Place[] {
  const step = Math.min(...times.slice(1).map((at, index) => at - (times[index] ?? at)));
  const present = times.flatMap((at, index) => (values[index] === undefined ? [] : [{ at, value: values[index] }]));
  return present.flatMap((place, index) => {
    const before = present[index - 1];
    const isAfterGap = before !== undefined && place.at - before.at > GAP_STEPS * step;
    return isAfterGap ? [{ at: place.at, value: undefined }, place] : [place];
  });
}

function horizontal(at: number, width: number, text: string): string {
  const y = at.toFixed(1);
  return (
    `<line x1="${MARGIN.left}" x2="${width - MARGIN.right}" y1="${y}" y2="${y}" stroke="#e4e7ea"/>` +
    `<text x="${MARGIN.left - 7}" y="${y}" dy="0.33em" text-anchor="end">${text}</text>`
  );
}

function vertical(at: number, height: number, text: string): string {
  const x = at.toFixed(1);
  return (
    `<line x1="${x}" x2="${x}" y1="${MARGIN.top}" y2="${height - MARGIN.bottom}" stroke="#eef0f2"/>` +
    `<text x="${x}" y="${height - 5}" text-anchor="middle">${text}</text>`
  );
}

function threshold(at: number, width: number, color: string): string {
  const y = at.toFixed(1);
  return `<line class="threshold" x1="${MARGIN.left}" x2="${width - MARGIN.right}" y1="${y}" y2="${y}" stroke="${color}" stroke-width="1.5" stroke-dasharray="8 6"/>`;
}
