import { globSync, readFileSync } from 'node:fs';

import { expect } from 'chai';

import { annotationsPage } from '../../../../build/generate/annotations.ts';
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
