import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { labelsOf, releaseFacts } from '../../../build/release-facts.ts';

describe('facts of a build', () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'facts-'));
    writeFileSync(join(root, 'package.json'), '{"version":"1.2.3"}');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const git = (...args: readonly string[]): string =>
    execFileSync('git', ['-C', root, '-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();

  it('have the version of package.json, and nothing that nobody said', () => {
    expect(releaseFacts(root, { IMAGE_REVISION: 'abc', IMAGE_SOURCE: '', SOURCE_DATE_EPOCH: '' })).to.deep.equal({
      version: '1.2.3',
      revision: 'abc',
      source: undefined,
      created: undefined,
    });
  });

  it('have the commit, and say if files differ from it', () => {
    git('init', '--quiet');
    git('add', '.');
    git('commit', '--quiet', '--message=one');
    const head = git('rev-parse', 'HEAD');
    expect(releaseFacts(root, {}).revision).to.equal(head);
    writeFileSync(join(root, 'package.json'), '{"version":"1.2.4"}');
    expect(releaseFacts(root, {}).revision).to.equal(`${head}-dirty`);
  });

  it('have the time of SOURCE_DATE_EPOCH, in UTC', () => {
    expect(releaseFacts(root, { SOURCE_DATE_EPOCH: '1764201600' }).created).to.equal('2025-11-27T00:00:00Z');
  });

  for (const epoch of ['yesterday', '-1', '1e9', '99999999999999999999']) {
    it(`refuse SOURCE_DATE_EPOCH=${epoch}, and say what to write`, () => {
      expect(() => releaseFacts(root, { SOURCE_DATE_EPOCH: epoch })).to.throw(/seconds since 1970, as git log/);
    });
  }

  it('become labels, without those unknown', () => {
    const about = { title: 'a', description: 'b' };
    expect(labelsOf(about, { version: '1.2.3', source: 'https://example.com/r' })).to.deep.equal({
      'org.opencontainers.image.title': 'a',
      'org.opencontainers.image.description': 'b',
      'org.opencontainers.image.version': '1.2.3',
      'org.opencontainers.image.source': 'https://example.com/r',
      'org.opencontainers.image.licenses': 'Apache-2.0',
    });
    expect(labelsOf(about, { version: '1', revision: 'abc', created: '2025-11-27T00:00:00Z' })).to.include({
      'org.opencontainers.image.revision': 'abc',
      'org.opencontainers.image.created': '2025-11-27T00:00:00Z',
    });
  });
});
