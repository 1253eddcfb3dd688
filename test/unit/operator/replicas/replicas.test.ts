import { expect } from 'chai';

import type { Peer } from '../../../../kube/identity-lease.ts';
import { Replicas } from '../../../../operator/replicas/replicas.ts';
import { decodeState, encodeState } from '../../../../operator/replicas/state.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const OTHER = { ready: true, policies: '9', authorities: ['A'], serves: 'A', denials: [] };

describe('Replicas', () => {
  let peers: Peer[];
  let changed: () => void;
  let published: string[];
  let policies: string;
  let replicas: Replicas;
  let clock: ManualClock;

  beforeEach(() => {
    peers = [];
    published = [];
    policies = '';
    clock = new ManualClock(Date.parse('2026-01-02T03:04:05.678Z'));
    replicas = new Replicas({
      identity: 'me',
      policies: () => policies,
      clock,
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
      { identity: 'me', ready: false, policies: '12', authorities: ['A', 'B'], serves: 'B', paths: [], denials: [] },
      { identity: 'other', ...OTHER },
    ]);
    expect(replicas.others().map(({ identity }) => identity)).to.deep.equal(['other']);
    expect(decodeState('me', published.at(-1))).to.deep.equal(replicas.all()[0]);
  });

  it('reads what another one tells once, because each review asks for it', () => {
    peers = [{ identity: 'other', document: encodeState(OTHER) }];
    const [first] = replicas.others();
    peers = [{ identity: 'other', document: encodeState(OTHER) }];
    expect(replicas.others()[0]).to.equal(first);
    peers = [{ identity: 'other', document: encodeState({ ...OTHER, ready: false }) }];
    expect(replicas.others()[0]).to.deep.include({ ready: false });
    peers = [];
    expect(replicas.others()).to.deep.equal([]);
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

  describe('about denials', () => {
    const DENIED = { kind: 'Deployment', name: 'web', reason: 'PathNotAllowed', message: 'path x is not allowed' };
    const told = (): unknown => replicas.all()[0]?.denials.map(({ policy, name }) => [policy, name]);

    it('tells the newest of each policy, for ten minutes', async () => {
      replicas.denied('shop/shop', DENIED);
      replicas.denied('shop/shop', { ...DENIED, name: 'api' });
      replicas.denied('bank/bank', DENIED);
      expect(replicas.all()[0]?.denials).to.deep.equal([
        { policy: 'shop/shop', time: '2026-01-02T03:04:05.678Z', ...DENIED, name: 'api' },
        { policy: 'bank/bank', time: '2026-01-02T03:04:05.678Z', ...DENIED },
      ]);
      await clock.advance(599_000);
      replicas.publish({});
      expect(told()).to.have.length(2);
      await clock.advance(1_000);
      replicas.publish({});
      expect(told()).to.deep.equal([]);
    });

    it('tells the same again once in a minute', async () => {
      replicas.denied('shop/shop', DENIED);
      for (let second = 0; second < 59; second++) {
        await clock.advance(1_000);
        replicas.denied('shop/shop', DENIED);
      }
      expect(published).to.have.length(1);
      await clock.advance(1_000);
      replicas.denied('shop/shop', DENIED);
      expect(published).to.have.length(2);
    });

    it('tells of at most 50 policies, with messages of bounded length', () => {
      for (let index = 0; index < 60; index++)
        replicas.denied(`shop/policy-${index}`, { ...DENIED, message: 'x'.repeat(5_000) });
      const denials = replicas.all()[0]?.denials ?? [];
      expect(denials.map(({ policy }) => policy))
        .to.have.length(50)
        .and.include('shop/policy-59');
      expect(denials.every(({ message }) => message.length === 1_000)).to.equal(true);
    });

    it('drops those of the namespace that has most, so that others are told too', () => {
      replicas.denied('bank/bank', DENIED);
      for (let index = 0; index < 60; index++) replicas.denied(`shop/policy-${index}`, DENIED);
      const policies = replicas.all()[0]?.denials.map(({ policy }) => policy);
      expect(policies).to.have.length(50).and.include.members(['bank/bank', 'shop/policy-59']);
    });
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
