import { expect } from 'chai';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { bundledPackages, noticesOf } from '../../../build/bundled.ts';

describe('packages that are bundled', () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'bundled-'));
    pack('node_modules/a', { name: 'a', version: '1.0.0', license: 'MIT' }, { LICENSE: 'text of a' });
    pack('node_modules/@s/b', { name: '@s/b', version: '2.0.0', license: 'ISC' }, { 'license.md': 'text of b' });
    pack('node_modules/@s/b/node_modules/a', { name: 'a', version: '0.9.0', license: 'MIT' });
    pack('node_modules/unused', { name: 'unused', version: '3.0.0' });
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function pack(folder: string, json: object, texts: Readonly<Record<string, string>> = {}): void {
    mkdirSync(join(root, folder), { recursive: true });
    for (const [file, text] of Object.entries({ ...texts, 'package.json': JSON.stringify(json) })) {
      writeFileSync(join(root, folder, file), text);
    }
  }

  const bundle = (...files: readonly string[]): Parameters<typeof bundledPackages>[0] => {
    const inputs = Object.fromEntries(files.map((file) => [file, { bytesInOutput: 10 }]));
    const unused = { 'node_modules/unused/index.js': { bytesInOutput: 0 } };
    return { outputs: { x: { bytes: 1, inputs: { ...inputs, ...unused }, imports: [], exports: [] } } };
  };

  it('are those with code in it: once each, also below another one, not what was left out', () => {
    const files = ['operator/main.ts', 'lean:3', 'node_modules/a/x.js', 'node_modules/a/lib/y.js'];
    const more = ['node_modules/@s/b/index.js', 'node_modules/@s/b/node_modules/a/index.js'];
    expect(bundledPackages(bundle(...files, ...more), root)).to.deep.equal([
      { name: '@s/b', version: '2.0.0', license: 'ISC', folder: 'node_modules/@s/b' },
      { name: 'a', version: '0.9.0', license: 'MIT', folder: 'node_modules/@s/b/node_modules/a' },
      { name: 'a', version: '1.0.0', license: 'MIT', folder: 'node_modules/a' },
    ]);
  });

  it('must name a license', () => {
    pack('node_modules/nameless', { name: 'nameless', version: '1.0.0' });
    expect(() => bundledPackages(bundle('node_modules/nameless/x.js'), root)).to.throw(
      'node_modules/nameless/package.json names no license',
    );
  });

  it('may name several licenses, of which one may choose', () => {
    for (const [license, expression] of [
      [['Public Domain', 'MIT'], 'MIT'],
      [['MIT', 'ISC'], '(MIT OR ISC)'],
    ] as const) {
      pack('node_modules/old', { name: 'old', version: '1.0.0', license: license.map((type) => ({ type })) });
      expect(bundledPackages(bundle('node_modules/old/x.js'), root)[0]?.license).to.equal(expression);
    }
  });

  it('have their license texts in the notices', () => {
    const notices = noticesOf(bundledPackages(bundle('node_modules/a/x.js', 'node_modules/@s/b/x.js'), root), root);
    expect(notices).to.match(/^@s\/b 2\.0\.0 \(ISC\)\n\n=+\n\ntext of b\n\n\na 1\.0\.0 \(MIT\)\n\n=+\n\ntext of a$/);
  });

  it('without a license text stop the build', () => {
    const [nested] = bundledPackages(bundle('node_modules/@s/b/node_modules/a/x.js'), root);
    expect(() => noticesOf(nested === undefined ? [] : [nested], root)).to.throw(
      'node_modules/@s/b/node_modules/a has no text of its license (MIT)',
    );
  });
});
