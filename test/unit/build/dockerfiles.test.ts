import { expect } from 'chai';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { vaultEnvSpec } from '../../../build/images.ts';

// There is no engine to build them with here: this reads what they say. That the files that they copy exist after
// `make build` is in test/integration/images.test.ts.
const ROOT = join(import.meta.dirname, '../../..');

interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** The instructions of a Dockerfile: lines that end with a backslash go on, lines that begin with # are comments. */
function instructionsOf(file: string): readonly Instruction[] {
  const text = readFileSync(join(ROOT, 'build/docker', file), 'utf8');
  const lines = text
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter(Boolean);
  return lines.map((line) => {
    const [name = '', ...rest] = line.split(' ');
    return { name, text: rest.join(' ') };
  });
}

function all(file: string, name: string): readonly string[] {
  return instructionsOf(file).flatMap((one) => (one.name === name ? [one.text] : []));
}

function copiesOf(file: string): readonly { readonly sources: readonly string[]; readonly target: string }[] {
  return all(file, 'COPY').map((text) => {
    const words = text.split(' ').filter((word) => !word.startsWith('--'));
    return { sources: words.slice(0, -1), target: words.at(-1) ?? '' };
  });
}

const FILES = ['operator.Dockerfile', 'vault-env.Dockerfile'];

describe('the Dockerfiles', () => {
  it('are these', () => {
    expect(globSync('*', { cwd: join(ROOT, 'build/docker') }).sort()).to.deep.equal(FILES);
  });

  it('have only instructions that this test understands, and each argument before its use', () => {
    for (const file of FILES) {
      const known = new Set<string>();
      for (const { name, text } of instructionsOf(file)) {
        expect(['ARG', 'FROM', 'LABEL', 'COPY', 'ENV', 'USER', 'ENTRYPOINT', 'CMD'], file).to.include(name);
        for (const [, used = ''] of text.matchAll(/\$\{(\w+)\}/g))
          expect([...known], `${file}: ${text}`).to.include(used);
        if (name === 'FROM') known.clear(); // arguments before FROM are for FROM alone
        if (name === 'ARG') known.add(text.replace(/=.*/, ''));
      }
    }
  });

  it('copy exactly what .dockerignore lets through', () => {
    const [first, ...allowed] = readFileSync(join(ROOT, '.dockerignore'), 'utf8')
      .replace(/^#.*\n/gm, '')
      .trim()
      .split('\n');
    expect(first).to.equal('*');
    const sources = FILES.flatMap(copiesOf).flatMap((copy) => copy.sources);
    const copied = sources.flatMap((source) =>
      source.includes('${TARGETARCH}')
        ? ['amd64', 'arm64'].map((one) => source.replace('${TARGETARCH}', one))
        : [source],
    );
    expect(new Set(copied.map((source) => `!${source}`))).to.deep.equal(new Set(allowed));
  });

  it('make the image of vault-env that make images makes', () => {
    const { config = {}, files } = vaultEnvSpec('localhost/vault-env:1', 'amd64', {
      version: '1.2.3',
      revision: 'abc',
    });
    const file = 'vault-env.Dockerfile';
    expect(all(file, 'FROM')).to.deep.equal(['scratch']);
    expect(all(file, 'USER')).to.deep.equal([config.user]);
    expect(all(file, 'ENTRYPOINT').map((text) => JSON.parse(text) as unknown)).to.deep.equal([config.entrypoint]);
    expect(copiesOf(file).map(({ target }) => target)).to.have.members(files.map(({ path }) => path));
    const labels = all(file, 'LABEL')[0]?.matchAll(/(\S+)="([^"]*)"/g) ?? [];
    const values = Array.from(labels, ([, name = '', value = '']) => [name, value] as const);
    const resolved = values.map(([name, value]) => [
      name,
      value.replace('${VERSION}', '1.2.3').replace('${REVISION}', 'abc'),
    ]);
    expect(Object.fromEntries(resolved)).to.deep.equal(config.labels);
  });

  it('run the operator as any user but root, with the node of any base', () => {
    const file = 'operator.Dockerfile';
    expect(all(file, 'FROM')).to.deep.equal(['${BASE}']);
    expect(all(file, 'USER')).to.deep.equal(['65532:65532']);
    expect(all(file, 'ENTRYPOINT')).to.deep.equal(['["node", "/operator.mjs"]']);
    expect(all(file, 'ENV')).to.deep.equal(['PATH=/nodejs/bin:/usr/local/bin:/usr/bin:/bin']);
    expect(copiesOf(file).flatMap(({ sources }) => sources)).to.include.members([
      'dist/operator.mjs',
      'dist/vaultinjectionpolicies.yaml',
      'dist/bundled-licenses.txt',
    ]);
  });
});
