import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildImage } from '../../../build/image.ts';
import { tar, untar } from '../../../build/tar.ts';

describe('image builder', () => {
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'image-test-'));
  });

  afterEach(() => rmSync(dir, { recursive: true }));

  it('writes the same bytes for the same files, in whatever order', () => {
    const files = [
      { path: '/bin/b', content: 'B' },
      { path: '/bin/a', content: 'A' },
    ];
    const one = buildImage({ name: 'localhost/x:1', files }, join(dir, 'one.tar'));
    const two = buildImage({ name: 'localhost/x:1', files: files.toReversed() }, join(dir, 'two.tar'));
    expect(two.digest).to.equal(one.digest);
    expect(readFileSync(two.archive).equals(readFileSync(one.archive))).to.be.true;
  });

  it('returns another digest for another entrypoint', () => {
    const build = (entrypoint: string): string =>
      buildImage({ name: 'localhost/x:1', files: [], config: { entrypoint: [entrypoint] } }, join(dir, 'x.tar')).digest;
    expect(build('/a')).not.to.equal(build('/b'));
  });

  it('writes archives that tar reads: directories, modes, links and contents of any length', () => {
    const archive = tar([
      { path: 'usr/bin/program', mode: 0o755, content: 'x'.repeat(513) },
      { path: 'usr/bin/alias', target: 'program' },
      { path: 'empty', content: '' },
    ]);
    const listing = execFileSync('tar', ['-tvf', '-'], { input: archive, encoding: 'utf8' });
    expect(listing.split('\n').map((line) => line.replace(/\s+/g, ' ').replace(/ 1970\S* \S+ /, ' '))).to.deep.equal([
      'drwxr-xr-x 0/0 0 usr/',
      'drwxr-xr-x 0/0 0 usr/bin/',
      '-rw-r--r-- 0/0 0 empty',
      'lrwxrwxrwx 0/0 0 usr/bin/alias -> program',
      '-rwxr-xr-x 0/0 513 usr/bin/program',
      '',
    ]);
    const program = execFileSync('tar', ['-xOf', '-', 'usr/bin/program'], { input: archive, encoding: 'utf8' });
    expect(program).to.equal('x'.repeat(513));
  });

  it('reads its own archives', () => {
    const files = [
      { path: 'a/b', content: 'x'.repeat(513) },
      { path: 'empty', content: '' },
    ];
    const read = untar(tar([...files, { path: 'link', target: 'a/b' }]));
    expect([...read].map(([path, content]) => ({ path, content: content.toString() }))).to.deep.equal(files);
  });

  it('rejects a path that does not fit, rather than cutting it', () => {
    expect(() => tar([{ path: 'a'.repeat(101), content: '' }])).to.throw('more than 100 bytes');
  });
});
