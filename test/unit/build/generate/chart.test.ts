import { readFileSync } from 'node:fs';

import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'chai';
import { parse } from 'yaml';

import { chartReadme } from '../../../../build/generate/chart-readme.ts';
import { chartSchema } from '../../../../build/generate/chart-schema.ts';
import { chartSettings, SET_BY_CHART } from '../../../../build/generate/chart-settings.ts';
import { templateOf } from '../../../../build/generate/chart-templates.ts';
import { readSettings } from '../../../../operator/settings.ts';

const VALUES = new URL('../../../../config/chart/values.yaml', import.meta.url);

type Schema = Readonly<Record<string, unknown>>;

const ROLE = `kind: ClusterRole
metadata:
  name: vault-injection-operator
  labels:
    app.kubernetes.io/name: vault-injection-operator
rules:
  # why
  - apiGroups: [rbac.authorization.k8s.io]
    resources: [clusterroles]
    resourceNames: [vault-injection-operator]
    verbs: [get]
  - apiGroups: ['']
    resources: [secrets]
    resourceNames: [vault-injection-operator-webhook]
    verbs: [get]
  - apiGroups: [admissionregistration.k8s.io]
    resources: [mutatingwebhookconfigurations]
    resourceNames: [vault-injection-operator]
    verbs: [list, watch, patch]
`;

describe('the schema of the chart', () => {
  let schema: Schema;
  before(async () => (schema = JSON.parse(await chartSchema()) as Schema));

  it('accepts the defaults', () => {
    const ajv = new Ajv2020({ allowUnionTypes: true });
    const isValid = ajv.validate(schema, parse(readFileSync(VALUES, 'utf8')));
    expect(ajv.errors).to.equal(null);
    expect(isValid).to.equal(true);
  });

  it('lets no unknown key into any mapping, but into those of Kubernetes', () => {
    const open: string[] = [];
    const look = (value: unknown, path: string): void => {
      if (typeof value !== 'object' || value === null) return;
      const { type, additionalProperties } = value as Schema;
      if (type === 'object' && additionalProperties === undefined) open.push(path);
      expect(additionalProperties, path).not.to.equal(true);
      for (const [key, inner] of Object.entries(value)) look(inner, `${path}/${key}`);
    };
    look(schema, '');
    expect(open).to.deep.equal(['/$defs/kubernetes']);
  });

  it('says of each value what its comment in values.yaml says', () => {
    const { properties } = schema as { properties: Readonly<Record<string, { description?: string }>> };
    expect(properties.replicas?.description).to.match(/^Both replicas answer reviews, .* than two can answer\.$/);
    expect(properties.strategy)
      .to.have.nested.property('properties.maxUnavailable.description')
      .that.matches(/^The new/);
  });

  it('knows every setting of the operator, and no other', () => {
    const settings = (schema as { properties: { settings: { properties: Schema } } }).properties.settings.properties;
    expect(Object.keys(settings)).to.have.members(Object.keys(readSettings([], {})));
  });

  it('has no type for a value that is not there, and no value without a type', async () => {
    const yaml = readFileSync(VALUES, 'utf8');
    for (const [changed, message] of [
      [yaml.replace(/^replicas: /m, 'replica: '), 'values.yaml has no replicas'],
      [`${yaml}more: 1\n`, 'values.yaml has more, of which there is no type'],
      [
        yaml.replace('  maxSurge: 1', '  maxSurges: 1'),
        'values.yaml has strategy.maxSurges, of which there is no type',
      ],
    ] as const)
      expect(await chartSchema(changed).catch((error: unknown) => (error as Error).message)).to.equal(message);
  });
});

describe('what the chart says of settings', () => {
  const rules = JSON.parse(chartSettings()) as Readonly<Record<string, { pattern?: string; instead?: string }>>;

  it('sends those that it sets itself to the value that they have here', () => {
    expect(Object.keys(readSettings([], {}))).to.include.members(Object.keys(SET_BY_CHART));
    for (const [name, instead] of Object.entries(SET_BY_CHART)) expect(rules[name]).to.deep.equal({ instead });
  });

  it('has a pattern for each duration, which its default matches', () => {
    const defaults = readSettings([], {}) as unknown as Readonly<Record<string, string>>;
    for (const name of ['drain', 'relistInterval', 'registryTimeout']) {
      expect(defaults[name]).to.match(new RegExp(rules[name]?.pattern ?? 'none'));
      expect('5').not.to.match(new RegExp(rules[name]?.pattern ?? ''));
    }
  });
});

describe('templateOf', () => {
  it('puts what the user chooses where it stands in a manifest, and keeps the comments', () => {
    const text = templateOf('role.yaml', ROLE);
    expect(text.match(/include "vault-injection-operator\.fullname"/g)).to.have.length(2);
    expect(text).to.contain('{{- include "vault-injection-operator.labels" . | nindent 4 }}');
    expect(text).to.contain('# why');
    expect(text).to.contain('"External" }}[list, watch]{{ else }}[list, watch, patch]{{ end }}');
  });

  it('leaves out the right about the ClusterRole where the installer keeps the webhook configuration', () => {
    const [, rule] = /"External" \}\}\n([^]*?) {2}\{\{- end \}\}/.exec(templateOf('role.yaml', ROLE)) ?? [];
    expect(rule).to.match(/^ {2}# why\n {2}- apiGroups: .*\n.*\[clusterroles\]\n.*fullname.*\n {4}verbs: \[get\]\n$/);
  });

  it('leaves the names that are fixed', () => {
    expect(templateOf('role.yaml', ROLE)).to.contain('resourceNames: [vault-injection-operator-webhook]');
    const rule = templateOf('role.yaml', ROLE).split('mutatingwebhookconfigurations]')[1];
    expect(rule).to.contain('resourceNames: [vault-injection-operator]');
  });

  const wrong: readonly (readonly [what: string, yaml: string, message: string])[] = [
    ['braces', ROLE.replace('# why', '# {{ why }}'), 'role.yaml has {{, which Helm would take for its own'],
    [
      'another namespace',
      ROLE.replace('  labels:', '  namespace: theirs\n  labels:'),
      'role.yaml: a namespace is left',
    ],
    ['an object without labels', `${ROLE}---\nkind: Role\n`, 'role.yaml: an object has no labels'],
  ];
  for (const [what, yaml, message] of wrong)
    it(`refuses ${what}`, () => {
      expect(() => templateOf('role.yaml', yaml)).to.throw(message);
    });
});

describe('the README of the chart', () => {
  const cellsOf = (page: string): readonly (readonly string[])[] =>
    page
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) =>
        line
          .split(/(?<!\\)\|/)
          .slice(1, -1)
          .map((cell) => cell.trim()),
      );

  it('has each value with its default and its reason', async () => {
    const whole = readFileSync(VALUES, 'utf8');
    const example = whole
      .replace(/^replicas: .*$/m, 'replicas: 7')
      .replace(/^nodeOptions: .*$/m, `nodeOptions: '--a | --b'`);
    const cells = new Map(cellsOf(await chartReadme(example)).map(([name = '', ...rest]) => [name, rest]));
    expect(cells.get('`replicas`')?.[0]).to.equal('`7`');
    expect(cells.get('`replicas`')?.[1]).to.match(/^Both replicas answer reviews/);
    expect(cells.get('`nodeOptions`')?.[0]).to.equal('`--a \\| --b`');
    expect(cells.get('`resources`')?.[0]).to.equal('`{requests: {cpu: 50m, memory: 128Mi}, limits: {memory: 512Mi}}`');
    expect(cells.get('`podMonitor.enabled`')).to.deep.equal(['`false`', '']);
    expect(cells.get('`uninstall`')?.[1]).to.match(/^helm uninstall first runs a Job/);
  });

  it('leaves no value out', async () => {
    const names = cellsOf(await chartReadme()).map(([name = '']) => name.replaceAll('`', ''));
    const top = Object.keys(parse(readFileSync(VALUES, 'utf8')) as object);
    expect(new Set(names.map((name) => name.split('.')[0]))).to.deep.equal(new Set(top));
    expect(new Set(names).size).to.equal(names.length);
  });
});
