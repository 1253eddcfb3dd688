import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { expect } from 'chai';

const root = join(import.meta.dirname, '../../..');

const PAGES = globSync(
  '{*.md,docs/**/*.md,{build,config,core,crds,kube,operator,samples,test,vault-env,webhook}/**/*.md}',
  {
    cwd: root,
    exclude: (path) => path.includes('node_modules'),
  },
).sort();

const exists = (path: string): boolean => existsSync(join(root, path));
const textOf = (path: string): string => readFileSync(join(root, path), 'utf8');

/** In code, with a folder of the repository before it, and without wildcards. */
const PATH = /`((?:build|config|core|crds|docs|kube|operator|samples|test|vault-env|webhook)\/[\w./-]*)`/g;
const LINK = /\]\((?!https?:|#)([^)#\s]+)(?:#[^)\s]*)?\)/g;
/** `something()` (`file`), and the same with "in" and without parentheses. */
const NAMED = /`(?:[\w#]+\.)?(\w+)(?:\(\))?`\s+(?:\(|in )`([\w-]+\/[\w./-]+\.(?:ts|go))`/g;

describe('the documentation', () => {
  for (const page of PAGES) {
    it(`names existing files: ${page}`, () => {
      const text = textOf(page);
      const links = Array.from(text.matchAll(LINK), ([, link = '']) => join(dirname(page), link));
      const paths = Array.from(text.matchAll(PATH), ([, path = '']) => path);
      expect([...links, ...paths].filter((path) => !exists(path))).to.deep.equal([]);
    });
  }

  it('names functions and classes where they are', () => {
    const named = PAGES.flatMap((page) =>
      Array.from(textOf(page).matchAll(NAMED), ([, name = '', file = '']) => ({ page, name, file })),
    );
    expect(named.length).to.be.above(20);
    const isThere = ({ name, file }: { name: string; file: string }): boolean =>
      exists(file) && statSync(join(root, file)).isFile() && new RegExp(`\\b${name}\\b`).test(textOf(file));
    expect(named.filter((one) => !isThere(one))).to.deep.equal([]);
  });
});
