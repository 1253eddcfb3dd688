import { expect } from 'chai';

import {
  allHave,
  decodeState,
  encodeState,
  newestDenials,
  newestPublished,
  UNKNOWN_AUTHORITY,
} from '../../../../operator/replicas/state.ts';
import type { PublishedDenial, ReplicaState } from '../../../../operator/replicas/state.ts';

const STATE: ReplicaState = {
  identity: 'pod-1_uuid',
  ready: true,
  policies: '1234',
  authorities: ['AA:BB', 'CC:DD'],
  serves: 'AA:BB',
  denials: [],
};

function denial(changes: Partial<PublishedDenial> = {}): PublishedDenial {
  return {
    policy: 'shop/shop',
    time: '2026-11-23T12:00:00.000Z',
    kind: 'Deployment',
    name: 'web',
    reason: 'PathNotAllowed',
    message: 'path secret/x is not allowed',
    ...changes,
  };
}

describe('what replicas tell each other', () => {
  it('arrives as it was sent', () => {
    const state = { ...STATE, denials: [denial()] };
    expect(decodeState('pod-1_uuid', encodeState(state))).to.deep.equal(state);
  });

  it('tells at which paths it answers, unless its version knows no tokens', () => {
    expect(decodeState('x', encodeState({ ...STATE, paths: ['a', 'b'] })).paths).to.deep.equal(['a', 'b']);
    expect(decodeState('x', encodeState(STATE)).paths).to.equal(undefined);
  });

  it('tells of pods, and takes what is no such row for nothing', () => {
    const pods = [
      { policy: 'shop/shop', uid: 'u', injected: 5, denied: 1, failed: 0, unchanged: 2, first: 10, last: 20 },
    ];
    const document = encodeState({ ...STATE, pods });
    expect(decodeState('x', document).pods).to.deep.equal(pods);
    const row = ['shop/shop', 'u', 5, 1, 0, 2, 10, 20];
    for (const broken of [row.slice(1), [...row, 1], [...row.slice(0, 7), -1], [...row.slice(0, 7), 'x'], 'x', null]) {
      const edited = JSON.stringify({ ...JSON.parse(document), pods: [broken] });
      expect(decodeState('x', edited).pods, JSON.stringify(broken)).to.equal(undefined);
    }
    expect(decodeState('x', encodeState(STATE)).pods, 'of an earlier version').to.equal(undefined);
  });

  it('fits into an annotation, whatever was denied: the newest denials are told', () => {
    const denials = Array.from({ length: 50 }, (_, index) =>
      denial({
        policy: `shop/policy-${index}`,
        time: new Date(Date.parse('2026-11-23T12:00:00Z') + index * 1000).toISOString(),
        message: '\u0001'.repeat(1_000),
      }),
    );
    const document = encodeState({ ...STATE, denials });
    expect(Buffer.byteLength(document)).to.be.at.most(65_536);
    const told = decodeState('x', document).denials.map(({ policy }) => policy);
    expect(told.length).to.be.within(5, 49);
    expect(told[0]).to.equal('shop/policy-49');
  });

  it('costs little, whatever was denied', () => {
    const denials = Array.from({ length: 50 }, (_, index) =>
      denial({ policy: `shop/policy-${index}`, message: '\u0001'.repeat(1_000) }),
    );
    let written = 0;
    const counting = denials.map((one) => ({ ...one, toJSON: () => ((written += 1), one) }));
    encodeState({ ...STATE, denials: counting });
    expect(written).to.be.at.most(50);
  });

  for (const [what, document] of [
    ['is missing', undefined],
    ['is no JSON', '{'],
    ['is of another shape', '"x"'],
    ['lacks what matters', '{"ready": false}'],
  ] as const)
    it(`makes a replica whose document ${what} one to be reckoned with`, () => {
      expect(decodeState('x', document)).to.deep.equal({
        identity: 'x',
        ready: true,
        policies: '',
        authorities: [],
        serves: UNKNOWN_AUTHORITY,
        denials: [],
      });
    });

  it('leaves out single denials that cannot be read', () => {
    const document = JSON.stringify({ ...STATE, denials: [denial(), { policy: 1 }, denial({ time: 'soon' }), null] });
    expect(decodeState('x', document).denials).to.deep.equal([denial()]);
  });

  const versions: readonly [string, readonly string[], string][] = [
    ['of none', [], ''],
    ['of those that have loaded nothing', ['', ''], ''],
    ['as numbers', ['999', '1000', ''], '1000'],
    ['of one', ['7'], '7'],
  ];
  for (const [what, policies, newest] of versions)
    it(`says which rules are the newest: ${what}`, () =>
      expect(newestPublished(policies.map((one) => ({ policies: one })))).to.equal(newest));

  const having: readonly [string, readonly [ready: boolean, policies: string][], boolean][] = [
    [
      'all have newer ones',
      [
        [true, '1000'],
        [true, '1001'],
      ],
      true,
    ],
    [
      'one is behind',
      [
        [true, '1000'],
        [true, '999'],
      ],
      false,
    ],
    [
      'one that is behind is not ready',
      [
        [true, '1000'],
        [false, '999'],
      ],
      true,
    ],
    [
      'one tells nothing',
      [
        [true, '1000'],
        [true, ''],
      ],
      false,
    ],
    ['there is none', [], true],
  ];
  for (const [what, replicas, answer] of having)
    it(`says whether rules are in force in every ready replica: ${what}`, () => {
      const states = replicas.map(([ready, policies]) => ({ ready, policies }));
      expect(allHave(states, '1000')).to.equal(answer);
    });

  it('gives the newest denial of each policy', () => {
    const later = '2026-11-23T12:00:05.000Z';
    const states = [
      { ...STATE, denials: [denial(), denial({ policy: 'bank/bank' })] },
      { ...STATE, denials: [denial({ time: later, name: 'api' })] },
    ];
    expect(newestDenials(states).map(({ policy, name }) => [policy, name])).to.have.deep.members([
      ['shop/shop', 'api'],
      ['bank/bank', 'web'],
    ]);
  });

  it('orders denials of the same second alike in every replica', () => {
    const [a, b] = [denial({ name: 'a', time: '2026-11-23T12:00:00.900Z' }), denial({ name: 'b' })];
    const one = newestDenials([{ ...STATE, denials: [a, b] }]);
    expect(newestDenials([{ ...STATE, denials: [b, a] }])).to.deep.equal(one);
    expect(one).to.deep.equal([b]);
  });
});
