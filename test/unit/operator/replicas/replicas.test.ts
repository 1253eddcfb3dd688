import { expect } from 'chai';

import type { Peer } from '../../../../kube/identity-lease.ts';
import { Replicas } from '../../../../operator/replicas/replicas.ts';
import { decodeState, encodeState } from '../../../../operator/replicas/state.ts';

const OTHER = { ready: true, policies: '9', authorities: ['A'], serves: 'A', denials: [] };

describe('Replicas', () => {
  let peers: Peer[];
  let changed: () => void;
  let published: string[];
  let policies: string;
  let replicas: Replicas;

  beforeEach(() => {
    peers = [];
    published = [];
    policies = '';
    replicas = new Replicas({
      identity: 'me',
      policies: () => policies,
      leases: {
        start: () => Promise.resolve(),
        stop: () => Promise.resolve(),
        sweep: () => Promise.resolve(),
        synced: true,
        publish: (document) => published.push(document),
        others: () => peers,
        onChange: (listener) => {
          changed = listener;
          return () => undefined;
        },
      },
    });
  });

  it('tells of itself from memory, and of the others what their Leases say', () => {
    peers = [{ identity: 'other', document: encodeState(OTHER) }];
    policies = '12';
    replicas.publish({ authorities: ['A', 'B'], serves: 'B' });
    expect(replicas.all()).to.deep.equal([
      { identity: 'me', ready: false, policies: '12', authorities: ['A', 'B'], serves: 'B', denials: [] },
      { identity: 'other', ...OTHER },
    ]);
    expect(replicas.others().map(({ identity }) => identity)).to.deep.equal(['other']);
    expect(decodeState('me', published.at(-1))).to.deep.equal(replicas.all()[0]);
  });

  it('calls listeners when it or another one has changed, and not otherwise', () => {
    let told = 0;
    replicas.onChange(() => {
      told += 1;
    });
    replicas.publish({});
    expect(told).to.equal(0);
    replicas.publish({ ready: true });
    changed();
    policies = '13';
    replicas.publish({});
    expect(told).to.equal(3);
  });

  const standing: readonly [string, boolean, readonly boolean[], boolean][] = [
    ['the first one that starts', false, [], true],
    ['one that is not ready beside others that are not', false, [false], true],
    ['one that is not ready beside one that is', false, [false, true], false],
    ['one that is ready', true, [true], true],
  ];
  for (const [what, isReady, others, answer] of standing)
    it(`${answer ? 'lets' : 'does not let'} lead: ${what}`, () => {
      peers = others.map((ready, index) => ({ identity: String(index), document: encodeState({ ...OTHER, ready }) }));
      replicas.publish({ ready: isReady });
      expect(replicas.mayLead()).to.equal(answer);
    });
});
