import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { expect } from 'chai';

import { Repairs } from '../../../webhook/configuration/repairs.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { ALERT_TESTS, ALERTS, dashboardExpressions, metricsIn } from '../../support/monitoring.ts';

const root = join(import.meta.dirname, '../../..');
const RUNBOOKS = join(root, 'docs/runbooks');

const textOf = (path: string): string => readFileSync(join(root, path), 'utf8');
const pageOf = (url = ''): string => `${basename(url)}.md`;

/** What the operator registers, and what a histogram is made of. */
const REGISTERED = new Set(
  Array.from(textOf('docs/reference/metrics.md').matchAll(/^\| `(\w+)` +\| (\w+)/gm)).flatMap(([, name = '', type]) =>
    type === 'histogram' ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  ),
);

describe('the alerts', () => {
  it('are eight, each of another name', () => {
    expect(new Set(ALERTS.map(({ alert }) => alert))).to.have.property('size', 8);
  });

  for (const { alert, expr, labels, annotations } of ALERTS)
    describe(alert, () => {
      const page = pageOf(annotations.runbook_url);

      it('has a severity, and a summary that says what to do', () => {
        expect(labels.severity).to.be.oneOf(['warning', 'critical']);
        expect(annotations.summary).to.match(/[;,] .+\.$/);
        expect(annotations.description).to.match(/\.$/);
      });

      it('has a runbook: meaning, impact, diagnosis with commands or queries, what to do', () => {
        expect(annotations.runbook_url).to.match(/^https:\/\/docs\.vaultinjection\.dev\/runbooks\/[a-z-]+$/);
        const text = readFileSync(join(RUNBOOKS, page), 'utf8');
        expect(text).to.match(new RegExp(`^# ${alert}\n`));
        for (const part of ['**Meaning.**', '**Impact.**', '## Diagnosis', '## What to do'])
          expect(text).to.contain(part);
        expect(textOf('docs/runbooks/README.md')).to.contain(`[${alert}](${page})`);
      });

      it('has tests for promtool, under the name of its page', () => {
        expect(ALERT_TESTS.map((file) => basename(file))).to.include(page.replace(/md$/, 'yaml'));
      });

      it('asks only for metrics that the operator registers, or API servers have', () => {
        const names = metricsIn(expr);
        expect(names).not.to.deep.equal([]);
        for (const name of names) if (!name.startsWith('apiserver_')) expect(REGISTERED).to.include(name);
      });
    });

  it('are what all runbooks and all tests for promtool are about', () => {
    const pages = ALERTS.map(({ annotations }) => pageOf(annotations.runbook_url)).sort();
    const written = globSync('*.md', { cwd: RUNBOOKS }).filter((file) => file !== 'README.md');
    expect(written.sort()).to.deep.equal(pages);
    expect(ALERT_TESTS.map((file) => basename(file, '.yaml'))).to.deep.equal(
      pages.map((page) => basename(page, '.md')),
    );
  });

  it('notice repairs at the pace that the operator allows itself', () => {
    const clock = new ManualClock();
    const repairs = new Repairs(clock);
    const MINUTES = 5;
    let count = 0;
    // somebody undoes each repair at once
    const contest = async (): Promise<void> => {
      const end = clock.elapsed() + MINUTES * 60_000;
      while (clock.elapsed() < end) {
        const waitMs = repairs.note();
        if (waitMs === 0) count++;
        await clock.advance(waitMs || 1);
      }
    };
    return contest().then(() => expect(count / MINUTES).to.be.above(5));
  });
});

describe('the dashboard', () => {
  it('shows only metrics that the operator registers, or that its process or API servers have', () => {
    const expressions = dashboardExpressions();
    expect(expressions.length).to.be.above(30);
    const unknown = expressions
      .flatMap(({ expr }) => metricsIn(expr))
      .filter((name) => name.startsWith('vault_injection_') && !REGISTERED.has(name));
    expect(unknown).to.deep.equal([]);
  });

  it('shows every metric of every alert', () => {
    const shown = new Set(dashboardExpressions().flatMap(({ expr }) => metricsIn(expr)));
    for (const { expr } of ALERTS) for (const name of metricsIn(expr)) expect(shown).to.include(name);
  });

  it('is named with an existing file in the guide', () => {
    expect(existsSync(join(root, 'config/dashboard/dashboard.json'))).to.equal(true);
    expect(textOf('docs/guides/monitoring.md')).to.contain('config/dashboard/dashboard.json');
  });
});
