/** Words that native readers stumble at, kept out of what people read and search for: messages, descriptions and guides. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

const ROOT = join(import.meta.dirname, '../../..');

// "turned away" and "takes away" are English; a server is down, unavailable or does not answer.
const ODD =
  /\b(?:anew|mend(?:s|ed|ing)?|till|whoever|thereby|heeds?|whatever moment|injected otherwise|lets the operator in|(?:is|are|was|were|been|being) away|the short of it)\b/gi;

/** Comments are for those who work on the code: what is said to users is in the rest. */
const withoutComments = (text: string): string =>
  text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1');

const PLACES: readonly (readonly [what: string, patterns: readonly string[], read: (text: string) => string])[] = [
  ['messages of the operator', ['{core,kube,operator,webhook}/**/*.ts'], withoutComments],
  ['messages of vault-env', ['vault-env/**/*.go'], withoutComments],
  ['descriptions of the CRD', ['crds/*'], (text) => text],
  ['the chart, manifests and alerts', ['config/**/*.{yaml,txt,md,tpl}', 'samples/**/*.{yaml,md}'], (text) => text],
  ['the documentation', ['*.md', 'docs/*.md', 'docs/{guides,reference,runbooks}/*.md'], (text) => text],
];

describe('plain English', () => {
  for (const [what, patterns, read] of PLACES) {
    it(`in ${what}`, () => {
      const files = globSync([...patterns], { cwd: ROOT }).filter((file) => !/_test\.go$|\.generated\.ts$/.test(file));
      expect(files).not.to.be.empty;
      const odd = files.flatMap((file) =>
        [...read(readFileSync(join(ROOT, file), 'utf8')).matchAll(ODD)].map(([word]) => `${file}: ${word}`),
      );
      expect(odd).to.deep.equal([]);
    });
  }
});
