/** The alerts and the dashboard as the real promtool reads them; what provokes alerts is in alerts-provoked.ts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { expect } from 'chai';
import { stringify } from 'yaml';

import { ensureTools } from '../../build/tools/tools.ts';
import { BUILDING_MS } from '../support/building.ts';
import { ALERT_TESTS, ALERTS, ALERTS_FILE, dashboardExpressions } from '../support/monitoring.ts';
import { promtool } from '../support/prometheus.ts';

describe('the alerts, read by promtool', function () {
  this.timeout(120_000);

  before(async function () {
    this.timeout(BUILDING_MS);
    await ensureTools(['promtool']);
  });

  it('are a valid rule file', async () => {
    expect(await promtool('check', 'rules', ALERTS_FILE)).to.contain(`${ALERTS.length} rules found`);
  });

  for (const file of ALERT_TESTS)
    it(`fire, do not fire just below, and resolve, with two replicas and after a restart: ${basename(file)}`, async () => {
      expect(await promtool('test', 'rules', file)).to.contain('SUCCESS');
    });
});

describe('the dashboard, read by promtool', function () {
  this.timeout(120_000);
  let dir: string;

  before(async function () {
    this.timeout(BUILDING_MS);
    await ensureTools(['promtool']);
    dir = mkdtempSync(join(tmpdir(), 'dashboard-'));
  });
  after(() => rmSync(dir, { recursive: true }));

  it('has only expressions that can be parsed', async () => {
    const rules = dashboardExpressions().map(({ expr, title }, index) => ({
      record: `dashboard:${index}`,
      expr,
      labels: { panel: title },
    }));
    const file = join(dir, 'rules.yaml');
    writeFileSync(file, stringify({ groups: [{ name: 'dashboard', rules }] }));
    expect(await promtool('check', 'rules', file)).to.contain(`${rules.length} rules found`);
  });
});
