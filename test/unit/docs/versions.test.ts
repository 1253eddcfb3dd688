/** Everything that says which versions of Kubernetes are supported says the same. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';
import { parse } from 'yaml';

import table from '../../../build/tools/tools.json' with { type: 'json' };
import { LACKING, NEWEST_TESTED_MINOR, OLDEST_MINOR } from '../../../core/kubernetes-versions.ts';
import { OLDER_MINORS, toolOf } from '../../support/kubernetes-versions.ts';

const ROOT = join(import.meta.dirname, '../../..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8').replace(/\s+/g, ' ');
const OLDEST = `1.${OLDEST_MINOR}`;
const OLDER = OLDER_MINORS.map((minor) => `1.${minor}`);
const listed = `${OLDER.slice(0, -1).join(', ')} and ${OLDER.at(-1) ?? ''}`;

describe('the supported versions of Kubernetes', () => {
  it('begin with the same one in the chart, the OLM bundle and the pages', () => {
    const chart = parse(readFileSync(join(ROOT, 'config/chart/Chart.yaml'), 'utf8')) as { kubeVersion: string };
    expect(chart.kubeVersion).to.equal(`>=${OLDEST}.0-0`);
    for (const [file, text] of [
      ['bundle/manifests/vault-injection-operator.clusterserviceversion.yaml', `minKubeVersion: ${OLDEST}.0 `],
      ['README.md', `Kubernetes ${OLDEST} or newer`],
      ['docs/guides/install.md', `It refuses Kubernetes before ${OLDEST},`],
      ['docs/guides/check.md', `not older than Kubernetes ${OLDEST};`],
      ['docs/reference/kubernetes-versions.md', `The operator needs Kubernetes ${OLDEST} or newer.`],
    ] as const)
      expect(read(file), file).to.contain(text);
  });

  it('are tested as the pages say', () => {
    expect(OLDER_MINORS[0]).to.equal(OLDEST_MINOR);
    expect(table['kube-apiserver'].version).to.match(new RegExp(`^v1\\.${NEWEST_TESTED_MINOR}\\.`));
    expect(read('README.md')).to.contain(`tested on 1.${NEWEST_TESTED_MINOR};`).and.contain(`also on ${listed}.`);
    expect(read('docs/reference/kubernetes-versions.md'))
      .to.contain(`runs everything on 1.${NEWEST_TESTED_MINOR}.`)
      .and.contain(`on ${listed} as well`);
  });

  it('are each in a nightly job', () => {
    const { jobs } = parse(readFileSync(join(ROOT, '.github/workflows/nightly.yml'), 'utf8')) as {
      jobs: { versions: { strategy: { matrix: { version: string[] } } } };
    };
    expect(jobs.versions.strategy.matrix.version).to.deep.equal(OLDER);
  });

  it('have tools that only make test-versions builds, of modules that nobody updates', () => {
    const updated = read('.github/dependabot.yml');
    for (const minor of OLDER_MINORS) {
      for (const program of ['kube-apiserver', 'kube-controller-manager'] as const) {
        const tool = table[toolOf(program, minor) as `kube-apiserver-1.${typeof minor}`];
        expect(tool).to.deep.include({ module: `kubernetes-1.${minor}`, use: 'on request' });
        expect(tool.flags.at(-1)).to.contain(`gitVersion=${tool.version} `).and.contain(`gitMinor=${minor}`);
        const [module] = /^require k8s\.io\/kubernetes \S+/m.exec(
          readFileSync(join(ROOT, `test/tools/kubernetes-1.${minor}/go.mod`), 'utf8'),
        ) ?? [''];
        expect(module).to.equal(`require k8s.io/kubernetes ${tool.version}`);
      }
      expect(updated).not.to.contain(`kubernetes-1.${minor}`);
    }
  });

  it('have everything that an older one lacks in the table', () => {
    const rows = readFileSync(join(ROOT, 'docs/reference/kubernetes-versions.md'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('|'));
    for (const { since } of Object.values(LACKING))
      expect(rows.filter((row) => row.includes(` 1.${since} `))).to.have.length.above(0);
  });

  it('are no other ones elsewhere in the documentation', () => {
    for (const file of ['README.md', ...globSync('{docs,config}/**/*.md', { cwd: ROOT })]) {
      if (file.startsWith('docs/adr/')) continue;
      for (const [text, minor] of read(file).matchAll(/needs Kubernetes 1\.(\d+)/gi))
        expect([OLDEST_MINOR, ...Object.values(LACKING).map(({ since }) => since)], `${file}: ${text}`).to.include(
          Number(minor),
        );
    }
  });
});
