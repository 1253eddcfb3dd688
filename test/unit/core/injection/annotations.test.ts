import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';

import {
  ANNOTATION_PREFIX,
  ANNOTATION_NAMES,
  ANNOTATIONS,
  annotation,
  INJECTED_ANNOTATIONS,
} from '../../../../core/injection/annotations.ts';
import { mark } from '../../../../core/marks.ts';
import { ruleOf, specSchema } from '../../../support/example-policy.ts';

const root = join(import.meta.dirname, '../../../..');
const rows = ANNOTATION_NAMES.map((name) => ({ name, ...ANNOTATIONS[name] }));

/** The names of annotations that a file writes out. */
function namesIn(file: string): readonly string[] {
  const text = readFileSync(join(root, file), 'utf8');
  // what goes before is the webhook's name in an audit annotation, and a version makes it an apiVersion
  const found = [...text.matchAll(/(?<![.\w])vaultinjection\.dev\/([a-z][-a-z]*)(?![-\w])/g)];
  return found.map(([, name]) => name ?? '');
}

describe('the table of annotations', () => {
  it('has one for each override that a policy can allow', () => {
    const allow = specSchema('overrides.allow');
    expect(rows.flatMap(({ override }) => (override ? [override.allow] : []))).to.have.members([
      ...(allow.items?.enum ?? []),
    ]);
    expect(allow.maxItems).to.equal(allow.items?.enum?.length);
  });

  for (const { name, says, example, override, on, setBy } of rows) {
    it(`says what ${name} is, in a sentence`, () => {
      expect(says).to.match(/^["A-Z].*\.$/);
      expect(example).not.to.equal('');
    });
    if (override === undefined) continue;
    it(`has an example of ${name} that can be read, and lets users write it anywhere`, () => {
      expect(override.parse(example, ruleOf())).to.be.an('object');
      expect({ on, setBy }).to.deep.equal({ on: ['Workload', 'Template'], setBy: 'User' });
    });
  }

  it('has three that injection writes into a template', () => {
    expect(INJECTED_ANNOTATIONS).to.have.members([annotation.injected, annotation.original, annotation.restart]);
  });

  it('has all that code, CRD, samples and documentation name', () => {
    const files = globSync(
      ['{core,kube,operator,webhook}/**/*.ts', 'crds/*.yaml', 'samples/**/*.yaml', 'docs/**/*.md'],
      {
        cwd: root,
      },
    );
    const known: readonly string[] = [
      ...ANNOTATION_NAMES,
      ...Object.values(mark).map((name) => name.slice(ANNOTATION_PREFIX.length)),
      'metrics', // the label of namespaces whose pods config/network lets in
    ];
    const unknown = files.flatMap((file) =>
      namesIn(file)
        .filter((name) => !known.includes(name))
        .map((name) => `${file}: ${name}`)
        // the guide shows what is said about a misspelt one
        .filter((found) => found !== 'docs/guides/write-a-policy.md: rolle'),
    );
    expect(files.length).to.be.greaterThan(100);
    expect(unknown).to.deep.equal([]);
  });

  it('is where code takes the names from, except for the sentences of the catalogue of reasons', () => {
    const sources = globSync('{core,kube,operator,webhook}/**/*.ts', { cwd: root });
    const prose = ['core/marks.ts', 'core/reasons.ts', 'core/outcome-reasons.ts', 'core/policy/policy.generated.ts'];
    const literal = sources.filter((file) => !prose.includes(file) && namesIn(file).length > 0);
    expect(literal).to.deep.equal([]);
  });
});
