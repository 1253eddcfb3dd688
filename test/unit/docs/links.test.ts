import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect } from 'chai';

const root = join(import.meta.dirname, '../../..');
const pages = ['*.md', '{build,config,core,crds,docs,kube,operator,samples,test,vault-env,webhook}/**/*.md'].flatMap(
  (pattern) => globSync(pattern, { cwd: root, exclude: (path) => path.includes('node_modules') }),
);

const withoutCode = (text: string): string => text.replaceAll(/^ *```[^]*?^ *```$/gm, '').replaceAll(/`[^`\n]*`/g, '');

/** The anchors of a page as GitHub makes them: the heading in small letters, without punctuation, spaces as hyphens. */
function anchorsOf(file: string): Set<string> {
  const text = readFileSync(file, 'utf8').replaceAll(/^ *```[^]*?^ *```$/gm, '');
  const anchors = new Set<string>();
  for (const [, heading = ''] of text.matchAll(/^#+ +(.+?) *$/gm)) {
    const name = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
      .replaceAll(' ', '-');
    let unique = name;
    for (let n = 1; anchors.has(unique); n++) unique = `${name}-${n}`;
    anchors.add(unique);
  }
  return anchors;
}

describe('the links of the documentation', () => {
  it('are looked for in all pages', () => {
    expect(pages).to.include.members(['README.md', 'docs/guides/inventory.md', 'vault-env/README.md']);
  });

  for (const page of pages)
    it(`lead somewhere: ${page}`, () => {
      const file = join(root, page);
      const lost: string[] = [];
      for (const [, target = ''] of withoutCode(readFileSync(file, 'utf8')).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        const [path = '', anchor] = target.split('#', 2);
        const to = path === '' ? file : join(dirname(file), path);
        if (!existsSync(to) || relative(root, to).startsWith('..')) lost.push(target);
        else if (anchor !== undefined && (!statSync(to).isFile() || !anchorsOf(to).has(anchor))) lost.push(target);
      }
      expect(lost).to.deep.equal([]);
    });
});
