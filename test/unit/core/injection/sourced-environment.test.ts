import { expect } from 'chai';
import type { SourceMode } from '../../../../core/policy/rule.ts';
import { isSourced, sourcedEnvironment } from '../../../../core/injection/sourced-environment.ts';
import type { SourcedEnvironment } from '../../../../core/injection/sourced-environment.ts';
import { knownSources } from '../../../support/example-rule.ts';

const REFERENCE = 'vault:kv/a#b';
const OBJECTS = {
  'ConfigMap app': { data: { DB: REFERENCE, PLAIN: '' } },
  'ConfigMap other': { data: { DB: 'vault:kv/other#b', PLAIN: 'vault:kv/other#c' } },
  'ConfigMap plain': { data: { DB: '' } },
  'Secret creds': { data: { TOKEN: 'x ${vault:kv/s#t} y' } },
  'ConfigMap gone': { missing: true },
  'Secret closed': { unreadable: 'no' },
} as const;

function read(
  container: object,
  modes: Partial<Record<'configMaps' | 'secrets', SourceMode>> = {},
): SourcedEnvironment {
  return sourcedEnvironment(
    container as never,
    { configMaps: 'Read', secrets: 'Read', ...modes },
    knownSources(OBJECTS),
  );
}

/** Name and path of what refers to Vault. */
function found(container: object): Record<string, string> {
  return Object.fromEntries(
    read(container).references.map(({ name, references: [first] }) => [
      name,
      first !== undefined && 'path' in first ? first.path : '',
    ]),
  );
}

const fromConfigMap = (name: string, fields: object = {}): object => ({ configMapRef: { name }, ...fields });
const fromSecret = (name: string, fields: object = {}): object => ({ secretRef: { name }, ...fields });
const keyOf = (name: string, configMap: string, key: string, fields: object = {}): object => ({
  name,
  valueFrom: { configMapKeyRef: { name: configMap, key, ...fields } },
});
const secretKey = (name: string, secret: string, key: string): object => ({
  name,
  valueFrom: { secretKeyRef: { name: secret, key } },
});

describe('environment that comes from objects', () => {
  const cases: readonly [what: string, container: object, found: Record<string, string>][] = [
    ['every key of a ConfigMap', { envFrom: [fromConfigMap('app')] }, { DB: 'kv/a' }],
    ['with its prefix', { envFrom: [fromConfigMap('app', { prefix: 'X_' })] }, { X_DB: 'kv/a' }],
    ['a Secret, with a reference amid the value', { envFrom: [fromSecret('creds')] }, { TOKEN: 'kv/s' }],
    ['one key', { env: [keyOf('A', 'app', 'DB')] }, { A: 'kv/a' }],
    ['one key of a Secret', { env: [secretKey('A', 'creds', 'TOKEN')] }, { A: 'kv/s' }],
    ['one key that holds none', { env: [keyOf('A', 'app', 'PLAIN')] }, {}],
    [
      'the later of two',
      { envFrom: [fromConfigMap('app'), fromConfigMap('other')] },
      { DB: 'kv/other', PLAIN: 'kv/other' },
    ],
    ['the later of two, that holds none', { envFrom: [fromConfigMap('app'), fromConfigMap('plain')] }, {}],
    [
      'both, under their prefixes',
      { envFrom: [fromConfigMap('app'), fromConfigMap('other', { prefix: 'O_' })] },
      { DB: 'kv/a', O_DB: 'kv/other', O_PLAIN: 'kv/other' },
    ],
    ['a literal value over envFrom', { envFrom: [fromConfigMap('app')], env: [{ name: 'DB', value: 'x' }] }, {}],
    [
      'a literal reference over envFrom',
      { envFrom: [fromConfigMap('app')], env: [{ name: 'DB', value: 'vault:kv/l#k' }] },
      { DB: 'kv/l' },
    ],
    ['an empty value over envFrom', { envFrom: [fromConfigMap('app')], env: [{ name: 'DB' }] }, {}],
    [
      'a field of the pod over envFrom',
      { envFrom: [fromConfigMap('app')], env: [{ name: 'DB', valueFrom: { fieldRef: {} } }] },
      {},
    ],
    [
      'one key over envFrom',
      { envFrom: [fromConfigMap('other')], env: [keyOf('DB', 'app', 'DB')] },
      { DB: 'kv/a', PLAIN: 'kv/other' },
    ],
    [
      'envFrom, where an optional key is not there',
      { envFrom: [fromConfigMap('app')], env: [keyOf('DB', 'app', 'NONE', { optional: true })] },
      { DB: 'kv/a' },
    ],
    ['the later of two variables', { env: [keyOf('A', 'app', 'DB'), { name: 'A', value: 'x' }] }, {}],
    ['a value that goes before valueFrom', { env: [{ ...keyOf('A', 'app', 'DB'), value: 'x' }] }, {}],
  ];
  for (const [what, container, expected] of cases) {
    it(`reads ${what}`, () => expect(found(container)).to.deep.equal(expected));
  }

  it('names the object that holds a reference', () => {
    const { references } = read({ envFrom: [fromConfigMap('app')], env: [{ name: 'L', value: REFERENCE }] });
    expect(references.map(({ name, source }) => [name, source])).to.deep.equal([
      ['DB', { kind: 'ConfigMap', name: 'app' }],
      ['L', undefined],
    ]);
  });

  it('takes text of an object as it is, while the kubelet turns two dollars of a manifest into one', () => {
    const known = knownSources({ 'ConfigMap escaped': { data: { A: '$${vault:kv/a#b}' } } });
    const modes = { configMaps: 'Read', secrets: 'Read' } as const;
    const held = sourcedEnvironment({ envFrom: [fromConfigMap('escaped')] }, modes, known);
    expect(held.references.map(({ references }) => references)).to.deep.equal([[]]);
    const literal = sourcedEnvironment({ env: [{ name: 'A', value: '$${vault:kv/a#b}' }] }, modes, known);
    expect(literal.references.map(({ references }) => references.length)).to.deep.equal([1]);
  });

  it('reads none in variables that are literals', () => {
    const container = { envFrom: [fromConfigMap('app'), fromSecret('creds')], env: [keyOf('A', 'app', 'DB')] };
    const modes = { configMaps: 'Read', secrets: 'Read' } as const;
    const { references } = sourcedEnvironment(container, modes, knownSources(OBJECTS), undefined, ['T*', 'A']);
    expect(references.map(({ name }) => name)).to.deep.equal(['DB']);
  });

  it('finds faults of a reference', () => {
    const known = knownSources({ 'ConfigMap bad': { data: { A: 'vault:kv/a' } } });
    const modes = { configMaps: 'Read', secrets: 'Read' } as const;
    const [variable] = sourcedEnvironment({ envFrom: [fromConfigMap('bad')] }, modes, known).references;
    expect(variable?.fault?.column).to.equal(11);
  });

  describe('where there is nothing to read', () => {
    const verdict = ({ isAssumed, ignored, unasked, unreadable, absent }: SourcedEnvironment): object => ({
      isAssumed,
      ignored: ignored.map(({ name }) => name),
      unasked: unasked.map(({ name }) => name),
      unreadable: unreadable.map(({ ref }) => ref.name),
      absent,
    });
    const nothing = { isAssumed: false, ignored: [], unasked: [], unreadable: [], absent: [] };
    const optional = { optional: true };
    const verdicts: readonly [what: string, container: object, modes: object, verdict: object][] = [
      ['a missing object', { envFrom: [fromConfigMap('gone')] }, {}, { absent: ['ConfigMap gone'] }],
      ['a missing optional object', { envFrom: [{ configMapRef: { name: 'gone', ...optional } }] }, {}, {}],
      ['a missing object of a key', { env: [keyOf('A', 'gone', 'K')] }, {}, { absent: ['ConfigMap gone'] }],
      ['a missing optional object of a key', { env: [keyOf('A', 'gone', 'K', optional)] }, {}, {}],
      ['a missing key', { env: [keyOf('A', 'app', 'K')] }, {}, { absent: ['the key for A in ConfigMap app'] }],
      [
        'a key that every object inherits',
        { env: [keyOf('A', 'app', 'constructor')] },
        {},
        { absent: ['the key for A in ConfigMap app'] },
      ],
      [
        'a name that no object can have',
        { envFrom: [fromSecret('../configmaps/x')], env: [keyOf('A', 'a%2fb', 'K')] },
        {},
        {
          absent: [
            'Secret ../configmaps/x, which is no name of an object,',
            'ConfigMap a%2fb, which is no name of an object,',
          ],
        },
      ],
      ['such a name of an optional object', { env: [keyOf('A', '..', 'K', optional)] }, {}, {}],
      ['a missing optional key', { env: [keyOf('A', 'app', 'K', optional)] }, {}, {}],
      ['an object that cannot be read', { envFrom: [fromSecret('closed')] }, {}, { unreadable: ['closed'] }],
      [
        'an object nobody has looked into',
        { envFrom: [fromSecret('new'), fromSecret('new')] },
        {},
        { unasked: ['new'] },
      ],
      ['an object to ignore', { envFrom: [fromSecret('closed')] }, { secrets: 'Ignore' }, { ignored: ['closed'] }],
      ['an object to assume of', { env: [keyOf('A', 'app', 'DB')] }, { configMaps: 'Assume' }, { isAssumed: true }],
      [
        'references without names',
        {
          envFrom: [{}, null, { configMapRef: {} }, { secretRef: { name: '' } }],
          env: [null, { name: 'A', valueFrom: { configMapKeyRef: 7 } }],
        },
        {},
        {},
      ],
    ];
    for (const [what, container, modes, expected] of verdicts) {
      it(`says so of ${what}`, () =>
        expect(verdict(read(container, modes))).to.deep.equal({ ...nothing, ...expected }));
    }
  });

  it('is told apart from one that comes from none', () => {
    const sourced = [
      { envFrom: [fromConfigMap('app')] },
      { env: [{ name: 'L', value: 'x' }, keyOf('A', 'app', 'DB')] },
      { env: [secretKey('A', 'creds', 'TOKEN')] },
    ];
    for (const container of sourced) expect(isSourced(container)).to.equal(true);
    const others = [
      {},
      { envFrom: [], env: [] },
      { envFrom: 'x', env: 7 },
      {
        env: [
          { name: 'L', value: REFERENCE },
          { name: 'F', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        ],
      },
    ];
    for (const container of others) expect(isSourced(container)).to.equal(false);
  });
});
