/**
 * `make dashboard-picture`: draws the dashboard with the data of a real Prometheus that has scraped a real API server and
 * the operator for some minutes, and writes docs/guides/dashboard.png. Fails if a panel has no data that should have some.
 * With --again it draws what the last run has found.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';

import { ALERTS_FILE } from '../support/monitoring.ts';
import { startPrometheus, type Prometheus, type TimeRange } from '../support/prometheus.ts';
import { photograph } from './browser.ts';
import { faultsOf, nameOf, readDashboard, type Dashboard, type Found, type Picture } from './dashboard.ts';
import { live } from './life.ts';
import { drawPage, sizeOf } from './page.ts';
import { set } from './setting.ts';

const ROOT = join(import.meta.dirname, '../..');
const PNG = join(ROOT, 'docs/guides/dashboard.png');
const KEPT = join(ROOT, 'node_modules/.cache/dashboard-picture.json');
/** Seconds between two points. Prometheus scrapes every other second here. */
const STEP = 4;
/** Grafana takes four scrapes at least; more are smoother, as those of an ordinary Prometheus would be. */
const RATE_INTERVAL = '30s';
/** What a repository should not have to carry. */
const MOST_BYTES = 400_000;

/** What has no data in this picture, and why. */
const EMPTY: Readonly<Record<string, string>> = {};

/** Asks Prometheus what each panel asks for. */
async function find(dashboard: Dashboard, prometheus: Prometheus, range: TimeRange): Promise<Picture['found']> {
  const found = new Map<string, Found>();
  for (const { title, targets = [] } of dashboard.panels) {
    const answers = targets.map(async ({ expr, legendFormat }) => {
      const series = await prometheus.queryRange(expr.replaceAll('$__rate_interval', RATE_INTERVAL), range);
      return series
        .map(({ labels, points }) => ({
          name: nameOf(legendFormat, labels),
          points: points.filter(([, value]) => Number.isFinite(value)),
        }))
        .filter(({ points }) => points.length > 0);
    });
    found.set(title, await Promise.all(answers));
  }
  return found;
}

/** Resolves with what there is to draw after five minutes of life. */
async function observe(dashboard: Dashboard, tell: (line: string) => void): Promise<Picture> {
  tell('a cluster, a Vault and two replicas are started');
  const setting = await set();
  try {
    const { plane, replicas } = setting;
    const prometheus = await startPrometheus({ controlPlane: plane, rules: readFileSync(ALERTS_FILE, 'utf8') });
    try {
      const scrape = (): void =>
        prometheus.scrape(replicas.replicas.map(({ operator }) => new URL(operator.healthUrl).host));
      scrape();
      const from = Math.ceil(Date.now() / 1000);
      await live(setting, scrape, tell);
      const to = Math.floor(Date.now() / 1000);
      return { dashboard, found: await find(dashboard, prometheus, { from, to, step: STEP }), from, to };
    } finally {
      await prometheus.stop();
    }
  } finally {
    await setting.stop();
  }
}

/** What was found is kept, so that a change of the drawing needs no other five minutes. */
function keep({ found, from, to }: Picture): void {
  mkdirSync(dirname(KEPT), { recursive: true });
  writeFileSync(KEPT, JSON.stringify({ found: [...found], from, to }));
}

function kept(dashboard: Dashboard): Picture {
  const { found, from, to } = JSON.parse(readFileSync(KEPT, 'utf8')) as {
    found: [string, Found][];
    from: number;
    to: number;
  };
  return { dashboard, found: new Map(found), from, to };
}

const { values } = parseArgs({ options: { again: { type: 'boolean' } } });
const started = Date.now();
const tell = (line: string): void =>
  console.log(`${String(Math.round((Date.now() - started) / 1000)).padStart(4)} s  ${line}`);
const dashboard = readDashboard();
const picture = values.again === true ? kept(dashboard) : await observe(dashboard, tell);
if (values.again !== true) keep(picture);
const faults = faultsOf(picture, EMPTY);
const size = sizeOf(picture);
const png = await photograph(drawPage(picture), size);
if (png.length > MOST_BYTES) faults.push(`the picture has ${png.length} bytes, more than ${MOST_BYTES}`);
writeFileSync(PNG, png);
tell(`${relative('', PNG)}: ${size.width} × ${size.height} pixels, ${Math.ceil(png.length / 1000)} kB`);
for (const fault of faults) console.error(fault);
process.exit(faults.length === 0 ? 0 : 1);
