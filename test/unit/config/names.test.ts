import { expect } from 'chai';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

import { DEFAULT_PREFIX, imageName } from '../../../build/image-name.ts';

const ROOT = join(import.meta.dirname, '../../..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const yaml = (file: string): unknown => parse(read(file));
const { version } = JSON.parse(read('package.json')) as { version: string };

describe('the version of package.json', () => {
  it('is that of the lock file', () => {
    const lock = JSON.parse(read('package-lock.json')) as { version: string; packages: { '': { version: string } } };
    expect([lock.version, lock.packages[''].version]).to.deep.equal([version, version]);
  });

  it('is in the images that config/ installs, under the names of make images', () => {
    const { images } = yaml('config/default/kustomization.yaml') as {
      images: { newName: string; newTag: string }[];
    };
    const names = images.map(({ newName, newTag }) => `${newName}:${newTag}`);
    expect(names).to.deep.equal([imageName(DEFAULT_PREFIX, 'vault-injection-operator', version)]);
    const { spec } = yaml('config/operator/deployment.yaml') as {
      spec: { template: { spec: { containers: { env: { name: string; value?: string }[] }[] } } };
    };
    const injector = spec.template.spec.containers[0]?.env.find(
      ({ name }) => name === 'VAULT_INJECTION_INJECTOR_IMAGE',
    );
    expect(injector?.value).to.equal(imageName(DEFAULT_PREFIX, 'vault-env', version));
  });

  it('is the default of the Dockerfiles', () => {
    for (const file of globSync('build/docker/*.Dockerfile', { cwd: ROOT })) {
      expect(/^ARG VERSION=(.*)$/m.exec(read(file))?.[1], file).to.equal(version);
    }
  });

  it('is that of the chart, if there is one', function () {
    if (!existsSync(join(ROOT, 'config/chart/Chart.yaml'))) this.skip();
    const chart = yaml('config/chart/Chart.yaml') as { version: string; appVersion: string };
    expect([chart.version, chart.appVersion]).to.deep.equal([version, version]);
  });

  it('is in every image of ours that the documentation names', () => {
    const pages = ['README.md', 'config/README.md', ...globSync('docs/guides/*.md', { cwd: ROOT })];
    for (const page of pages) {
      for (const [image, tag] of read(page).matchAll(/(?:vault-env|vault-injection-operator):(\d+\.\d+\.\d+)/g)) {
        expect(tag, `${page}: ${image}`).to.equal(version);
      }
    }
  });
});
