import { globSync, readFileSync } from 'node:fs';

import { expect } from 'chai';

import { annotationsPage } from '../../../../build/generate/annotations.ts';
import { loggedLines, logsPage } from '../../../../build/generate/logs.ts';
import { metricsPage } from '../../../../build/generate/metrics.ts';
import { readRights, resourceText, rightsPage } from '../../../../build/generate/rights.ts';
import { settingsPage } from '../../../../build/generate/settings.ts';
import { table } from '../../../../build/generate/table.ts';
import { ANNOTATION_NAMES } from '../../../../core/injection/annotations.ts';
import { POLICY_LABEL } from '../../../../core/injection/policy-label.ts';
import { readSettings } from '../../../../operator/settings.ts';

const root = new URL('../../../../', import.meta.url);

describe('the reference pages', () => {
  it('describe every setting', async () => {
    const page = await settingsPage();
    for (const name of Object.keys(readSettings([], {}))) expect(page).to.contain(`| \`${name}\``);
  });

  it('describe every metric that the sources name', async () => {
    const page = await metricsPage();
    const sources = globSync('{kube,operator,webhook}/**/*.ts', { cwd: root });
    const names = sources.flatMap(
      (file) => readFileSync(new URL(file, root), 'utf8').match(/vault_injection_\w+/g) ?? [],
    );
    expect(names).to.include('vault_injection_reviews_total');
    for (const name of names) expect(page).to.contain(`| \`${name}\``);
  });

  describe('of the log', function () {
    // it type-checks the sources
    this.timeout(120_000);
    let lines: ReturnType<typeof loggedLines>;
    before(() => {
      lines = loggedLines();
    });

    it('describes every line that the sources name', async () => {
      const page = await logsPage(lines);
      const call = /logger\.(?:debug|info|warn|error)\((?:\w+, )?'([^'\n]+)'/g;
      const messages = globSync('{kube,operator,webhook}/**/*.ts', { cwd: root }).flatMap((file) =>
        Array.from(readFileSync(new URL(file, root), 'utf8').matchAll(call), ([, message]) => message),
      );
      expect(messages).to.include('the status of the policy changed');
      for (const message of messages) expect(page).to.contain(`| \`${message}\``);
    });

    it('describes every field, and none that no line has', () => {
      const line = { message: 'it', levels: new Set(['info'] as const), fields: new Set(['colour']) };
      expect(() => logsPage([...lines, line])).to.throw('no description of colour');
      expect(() => logsPage(lines.slice(0, 1))).to.throw(/no line has \w+/);
    });

    it('knows the fields and levels of a line, wherever they come from', () => {
      const lineOf = (message: string): unknown => {
        const line = lines.find((one) => one.message === message);
        return line && [[...line.levels].sort(), [...line.fields].sort()];
      };
      const ofReview = ['dryRun', 'kind', 'ms', 'name', 'namespace', 'operation', 'outcome', 'policy', 'uid'];
      // by a spread, a conditional spread and a variable
      expect(lineOf('injected')).to.deep.equal([['info'], [...ofReview, 'containers', 'reason'].sort()]);
      expect(lineOf('the health of a Vault changed')).to.deep.equal([
        ['info', 'warn'],
        ['address', 'message', 'policies', 'reason', 'status'],
      ]);
      // what callers of OutageLog add
      expect(lineOf('… failed, will retry')?.toString()).to.contain('failures').and.contain('advice');
    });
  });

  it('describe every annotation that injection knows, and the label', async () => {
    const page = await annotationsPage();
    for (const name of ANNOTATION_NAMES) expect(page).to.contain(`| \`${name}\``);
    expect(page).to.contain(`-l ${POLICY_LABEL}=shop`);
  });

  it('describe every right with its reason, and what it is worth to a thief', async () => {
    const page = await rightsPage();
    for (const { groups, resources, names, reason, stolen } of readRights())
      for (const text of [
        ...resources.map((one) => resourceText(one, groups)),
        ...names,
        reason.slice(1),
        stolen.slice(1),
      ])
        expect(page.replaceAll('`', '')).to.contain(text);
  });

  it('are not made of rights without a reason', () => {
    const role = (comment: string): string =>
      `kind: Role\nrules:\n  # A first one. Stolen: nothing.\n  - resources: [pods]\n  # ${comment}\n  - resources: [nodes]\n`;
    expect(readRights(role('To look. Stolen: looks.'))).to.have.length(2);
    expect(() => readRights(role('To look.'))).to.throw('the rule of nodes has no reason');
  });

  it('escape what Markdown would interpret', () => {
    expect(table(['a'], [['x|y * `*|z`']])).to.equal('| a |\n| --- |\n| x\\|y \\* `*\\|z` |');
  });
});
