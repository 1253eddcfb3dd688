/** The page that is photographed: the grid of the dashboard with its panels, drawn here and not by Grafana. */
import { colorOf, drawChart, drawSpark } from './chart.ts';
import type { Found, GridPosition, Panel, Picture, Series, Threshold } from './dashboard.ts';
import { inUnit } from './units.ts';

/** In pixels. */
export interface PageSize {
  readonly width: number;
  readonly height: number;
}

const COLUMN = 46;
const ROW = 25;
const GAP = 8;
const HEADER = 62;
const EDGE = 12;
/** What a panel has above and below its chart. */
const TITLE_HEIGHT = 30;
const LEGEND_LINE = 18;
/** The most that a legend may take of a panel; what is longer is cut off. */
const LEGEND_LINES = 3;
/** Of the small chart behind a figure. */
const SPARK_HEIGHT = 44;
/** Of a letter and of what stands beside a name in the legend, in its size. */
const LETTER = 6.4;
const BESIDE_NAME = 34;

const NAMED_COLORS: Readonly<Record<string, string | undefined>> = { green: '#1a7f37', red: '#cf222e' };

/** Returns how large the window has to be. */
export function sizeOf({ dashboard }: Picture): PageSize {
  const rows = Math.max(...dashboard.panels.map(({ gridPos: { y, h } }) => y + h));
  return { width: 24 * COLUMN + 2 * EDGE, height: HEADER + rows * (ROW + GAP) + EDGE };
}

/** Returns the page as HTML with everything in it. Throws for a panel or a unit that it cannot draw. */
export function drawPage(picture: Picture): string {
  const { dashboard, from, to } = picture;
  const { width, height } = sizeOf(picture);
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    `<title>${escaped(dashboard.title)}</title>`,
    `<style>${STYLE}</style></head>`,
    `<body style="width:${width}px;height:${height}px">`,
    `<header><h1>${escaped(dashboard.title)}</h1><p>${minutes(from)} to ${minutes(to)} UTC. Drawn from the dashboard's`,
    `definition and the data of a real Prometheus by our own page, not by Grafana.</p></header>`,
    ...dashboard.panels.map((panel) => drawPanel(panel, picture)),
    '</body></html>',
  ].join('\n');
}

function drawPanel(panel: Panel, picture: Picture): string {
  const found = picture.found.get(panel.title) ?? [];
  switch (panel.type) {
    case 'row':
      return box(panel.gridPos, 'row', `<h2>${escaped(panel.title)}</h2>`);
    case 'stat':
      return box(panel.gridPos, 'panel', `<h3>${escaped(panel.title)}</h3>${stats(panel, found)}`);
    case 'timeseries':
      return box(panel.gridPos, 'panel', `<h3>${escaped(panel.title)}</h3>${chart(panel, found, picture)}`);
    default:
      throw new Error(
        `the panel "${panel.title}" is of type "${panel.type}", which cannot be drawn: add it to drawPanel() in test/dashboard/page.ts`,
      );
  }
}

/** The last value of each line, in the color of the threshold that it has reached. */
function stats(panel: Panel, found: Found): string {
  const { unit, steps, words } = lookOf(panel);
  const values = found.flat().flatMap(({ name, points }) => {
    const last = points.at(-1);
    return last === undefined ? [] : [{ name, value: last[1], points }];
  });
  if (values.length === 0) return empty(panel);
  const isNamed = panel.options?.textMode === 'value_and_name';
  const width = Math.floor((pixels(panel.gridPos).width - 2) / values.length);
  const boxes = values.map(({ name, value, points }) => {
    const color = colorAt(value, steps);
    const label = isNamed ? `<span class="name">${escaped(name)}</span>` : '';
    const text = words[String(value)]?.text ?? inUnit(value, unit);
    const spark = panel.options?.graphMode === 'area' ? drawSpark(points, width, SPARK_HEIGHT, color) : '';
    return `<div>${label}<b style="color:${color}">${escaped(text)}</b>${spark}</div>`;
  });
  return `<div class="stats${values.length > 1 ? ' several' : ''}">${boxes.join('')}</div>`;
}

function colorAt(value: number, steps: readonly Threshold[]): string {
  const reached = steps.filter((step) => step.value === null || value >= step.value).at(-1);
  return reached?.color ?? colorNamed('green');
}

function chart(panel: Panel, found: Found, { from, to }: Picture): string {
  const series = found.flat().filter(({ points }) => points.length > 0);
  if (series.length === 0) return empty(panel);
  const { unit, steps, isStacked, hasLines, min } = lookOf(panel);
  const { width, height } = pixels(panel.gridPos);
  const legendHeight = LEGEND_LINE * legendLines(series, width - 20);
  const svg = drawChart(series, {
    width: width - 2,
    height: height - TITLE_HEIGHT - legendHeight - 12,
    from,
    to,
    unit,
    isStacked,
    min,
    thresholds: hasLines ? steps : [],
  });
  const names = series.map(
    ({ name }, index) => `<span><i style="background:${colorOf(index)}"></i>${escaped(name)}</span>`,
  );
  return `${svg}<div class="legend" style="height:${legendHeight}px">${names.join('')}</div>`;
}

/** How many lines the names take, since nothing here can measure text. */
function legendLines(series: readonly Series[], width: number): number {
  let lines = 1;
  let used = 0;
  for (const { name } of series) {
    const wide = name.length * LETTER + BESIDE_NAME;
    if (used > 0 && used + wide > width) {
      lines += 1;
      used = 0;
    }
    used += wide;
  }
  return Math.min(lines, LEGEND_LINES);
}

interface Look {
  readonly unit: string;
  readonly steps: readonly Threshold[];
  readonly isStacked: boolean;
  readonly hasLines: boolean;
  readonly min: number | undefined;
  readonly words: Readonly<Record<string, { readonly text: string } | undefined>>;
}

function lookOf({ title, fieldConfig }: Panel): Look {
  if (fieldConfig === undefined) throw new Error(`the panel "${title}" has no fieldConfig, so no unit`);
  const { unit, thresholds, custom, min, mappings = [] } = fieldConfig.defaults;
  const other = mappings.find(({ type }) => type !== 'value');
  if (other !== undefined) throw new Error(`the panel "${title}" has a mapping of type "${other.type}", not "value"`);
  const words = Object.assign({}, ...mappings.map(({ options }) => options)) as Look['words'];
  const steps = thresholds.steps.map((step) => ({ ...step, color: colorNamed(step.color) }));
  const isStacked = custom?.stacking?.mode === 'normal';
  return { unit, steps, isStacked, hasLines: custom?.thresholdsStyle?.mode === 'dashed', min, words };
}

function pixels({ x, y, w, h }: GridPosition): { left: number; top: number; width: number; height: number } {
  return {
    left: EDGE + x * COLUMN + GAP / 2,
    top: HEADER + y * (ROW + GAP),
    width: w * COLUMN - GAP,
    height: h * (ROW + GAP) - GAP,
  };
}

function box(position: GridPosition, kind: string, content: string): string {
  const { left, top, width, height } = pixels(position);
  const style = `left:${left}px;top:${top}px;width:${width}px;height:${height}px`;
  return `<section class="${kind}" style="${style}">${content}</section>`;
}

function colorNamed(name: string): string {
  const color = NAMED_COLORS[name];
  if (color === undefined) throw new Error(`the color "${name}" is not known: add it to test/dashboard/page.ts`);
  return color;
}

const minutes = (at: number): string => new Date(at * 1000).toISOString().slice(11, 16);

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

function empty({ fieldConfig }: Panel): string {
  return `<p class="empty">${escaped(fieldConfig?.defaults.noValue ?? 'No data')}</p>`;
}

const STYLE = `
* { box-sizing: border-box; margin: 0; }
body { background: #f4f5f5; color: #24292e; font: 12px "Liberation Sans", Arial, Helvetica, sans-serif; position: relative; }
header { padding: 12px 16px 0; }
header h1 { font-size: 20px; font-weight: 600; }
header p { color: #57606a; margin-top: 3px; font-size: 13px; }
section { position: absolute; overflow: hidden; }
.row { padding: 8px 4px 0; }
.row h2 { font-size: 15px; font-weight: 600; }
.panel { background: #fff; border: 1px solid #dfe2e5; border-radius: 3px; display: flex; flex-direction: column; }
.panel h3 { font-size: 13px; font-weight: 600; height: ${TITLE_HEIGHT}px; line-height: ${TITLE_HEIGHT}px; padding: 0 10px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; flex: none; }
.stats { flex: 1; display: flex; text-align: center; }
.stats div { flex: 1; position: relative; display: flex; flex-direction: column; justify-content: center; padding-bottom: 12px; }
.stats b { font-size: 32px; font-weight: 600; white-space: nowrap; }
.several b { font-size: 16px; }
.stats .name { font-size: 12px; color: #57606a; }
.stats .spark { position: absolute; left: 0; bottom: 0; }
svg { display: block; flex: none; }
svg text { font: 11px "Liberation Sans", Arial, Helvetica, sans-serif; fill: #57606a; }
.legend { padding: 0 10px; overflow: hidden; line-height: ${LEGEND_LINE}px; flex: none; }
.legend span { display: inline-block; margin-right: 14px; white-space: nowrap; }
.legend i { display: inline-block; width: 14px; height: 3px; margin-right: 6px; vertical-align: middle; border-radius: 1px; }
.empty { flex: 1; display: flex; align-items: center; justify-content: center; color: #8b949e; font-size: 15px; }
`;
