import { readFileSync } from 'node:fs';

import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';

import { ANNOTATION_PREFIX, ANNOTATIONS } from '../../../core/injection/annotations.ts';
import type { AnnotationName } from '../../../core/injection/annotations.ts';
import { CONFIG_VARIABLE, INSTALL_DIRECTORY, INSTALL_FLAG, PURPOSES } from '../../../core/injection/names.ts';
import { POLICY_LABEL } from '../../../core/injection/policy-label.ts';
import { KINDS, WORKLOAD_KINDS } from '../../../core/kinds.ts';
import { mark } from '../../../core/marks.ts';
import { entryNameOf, ENTRY_NAMES } from '../../../webhook/configuration/configuration.ts';

interface Policy {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly matchConstraints: { readonly resourceRules: readonly { readonly resources: readonly string[] }[] };
    readonly matchConditions: readonly { readonly expression: string }[];
    readonly variables: readonly { readonly name: string; readonly expression: string }[];
    readonly validations: readonly { readonly expression: string }[];
  };
}

function read(file: string): Policy {
  const text = readFileSync(new URL(`../../../config/${file}`, import.meta.url), 'utf8');
  return parseAllDocuments(text)[0]?.toJS() as Policy;
}

/** What the code writes has to be what the API server lets it write. */
describe('what guards the operator', () => {
  const workloads = read('guard/workloads.yaml');
  const objects = read('guard/objects.yaml');
  const expressions = ({ spec }: Policy): string =>
    [...spec.variables, ...spec.validations].map(({ expression }) => expression.replaceAll(/\s+/g, ' ')).join('\n');
  const keys = (setBy: string, on: 'Workload' | 'Template'): string[] =>
    Object.entries(ANNOTATIONS)
      .filter(([, row]) => row.setBy === setBy && (row.on as readonly string[]).includes(on))
      .map(([name]) => `${ANNOTATION_PREFIX}${name as AnnotationName}`)
      .sort();
  /** The lists of names in an expression, each sorted. */
  const lists = (policy: Policy): string[] =>
    [...expressions(policy).matchAll(/\[('[^[\]]*')\]/g)].map(([, list = '']) =>
      list
        .split(',')
        .map((item) => item.trim().replaceAll("'", ''))
        .sort()
        .join(),
    );

  it('lets it write the annotations that it writes, and remove the one that it removes', () => {
    const own = keys('Operator', 'Workload');
    expect(lists(workloads)).to.include(own.join());
    expect(lists(workloads)).to.include([...own, `${ANNOTATION_PREFIX}apply`].sort().join());
  });

  it('lets injection write its annotations, its label, its variable and its volumes', () => {
    const injected = [...keys('Admission', 'Template'), ...keys('Operator', 'Template')].sort().join();
    expect(lists(workloads).filter((list) => list === injected)).to.have.length(2);
    expect(expressions(workloads)).to.contain(`k == '${POLICY_LABEL}'`).and.contain(`e.name != '${CONFIG_VARIABLE}'`);
    expect(expressions(workloads)).to.contain(`['${INSTALL_FLAG}', '${INSTALL_DIRECTORY}']`);
    const volume = workloads.spec.variables.find(({ name }) => name === 'ourVolume')?.expression.replaceAll("'", '');
    for (const purpose of PURPOSES) {
      const name = purpose === 'executable' ? 'vault-env' : `vault-env-${purpose}`;
      for (const ours of [name, `${name}-2`]) expect(ours).to.match(new RegExp(volume ?? '$.'));
    }
  });

  it('is about the kinds that are injected', () => {
    // the operator has no right to write what never changes
    const written = Object.values(KINDS).filter(({ templateMayChange }) => templateMayChange);
    for (const policy of [workloads, read('marks/policy.yaml')]) {
      const guarded = policy.spec.matchConstraints.resourceRules.flatMap(({ resources }) => resources);
      expect(guarded).to.have.members(written.map(({ resource }) => resource.plural));
    }
  });

  it('lets it have exactly these kinds reviewed', () => {
    const groups = Map.groupBy(WORKLOAD_KINDS, (kind) => KINDS[kind].resource.group);
    const allowed = [...groups].map(
      ([group, kinds]) => `'${group}': [${kinds.map((kind) => `'${KINDS[kind].resource.plural}'`).join(', ')}]`,
    );
    expect(expressions(objects)).to.contain(`{${allowed.join(', ')}}`);
  });

  it('lets it have the kinds reviewed that its ServiceAccount names, and none of the core group by that', () => {
    const added = objects.spec.variables.find(({ name }) => name === 'added')?.expression;
    expect(added).to.equal(`params.metadata.?annotations[?'${mark.templates}'].orValue('').split(',')`);
    expect(expressions(objects)).to.contain("group != '' && name + '.' + group in variables.added");
  });

  it('knows the entries of the webhook configuration, and the marks', () => {
    const [, pattern = '$.'] = /w\.name\.matches\('([^']*)'\)/.exec(expressions(objects)) ?? [];
    const ofKinds = (['ignore', 'fail'] as const).flatMap((entry) =>
      WORKLOAD_KINDS.map((_, at) => entryNameOf(entry, WORKLOAD_KINDS.slice(at))),
    );
    for (const name of [...Object.values(ENTRY_NAMES), ...ofKinds]) expect(name).to.match(new RegExp(pattern));
    for (const name of ['unfail.vaultinjection.dev', 'a.b.fail.vaultinjection.dev', 'fail.vaultinjection.dev.x'])
      expect(name).not.to.match(new RegExp(pattern));
    expect(expressions(objects)).to.contain(`'${mark.probe}'`).and.contain(`'${mark.webhookUrl}'`);
    expect(expressions(objects)).to.contain(`'${mark.templates}'`);
    expect(expressions(workloads)).to.contain(`'${mark.altered}'`);
    expect(JSON.stringify(read('marks/policy.yaml'))).to.contain(mark.altered);
  });

  it('goes by the account alone', () => {
    const conditions = [workloads, objects, read('marks/policy.yaml')].map(
      ({ spec }) => spec.matchConditions[0]?.expression,
    );
    expect(new Set(conditions).size).to.equal(1);
    expect(conditions[0]).to.contain('params.metadata.namespace').and.contain('params.metadata.name');
  });
});
