import { expect } from 'chai';

import { VersionPoller, type VersionPollerOptions } from '../../../../operator/rotation/version-poller.ts';
import { VaultFailure } from '../../../../operator/vault/metadata-port.ts';
import type { VaultIdentity } from '../../../../operator/vault-identities.ts';
import { identityWith } from '../../../support/example-identity.ts';
import { ManualClock, settle } from '../../../support/manual-clock.ts';
import { testLog, type LogLine } from '../../../support/test-log.ts';
import { CANARIES, ScriptedVault } from './scripted-vault.ts';

const DB = 'secret/metadata/shop/db';
const API = 'secret/metadata/shop/api';
const SECOND = 1_000;

const at = (address: string): VaultIdentity => identityWith({ name: address.slice('https://'.length), address });
const SOURCE = at('https://vault.example');

/** Lets as many requests happen as a test makes at most: each takes a turn of the event loop. */
async function quiet(): Promise<void> {
  for (let round = 0; round < 40; round += 1) await settle();
}

describe('the poller of versions', () => {
  let vault: ScriptedVault;
  let clock: ManualClock;
  let lines: LogLine[];
  let changes: string[];
  let poller: VersionPoller;

  beforeEach(() => {
    vault = new ScriptedVault();
    vault.secrets.set(DB, 1).set(API, 1);
    clock = new ManualClock();
    changes = [];
    const log = testLog();
    lines = log.lines;
    const options: VersionPollerOptions = {
      vaults: vault,
      jwt: () => Promise.resolve(CANARIES.jwt),
      clock,
      random: () => 0.5,
      logger: log.logger,
      onChange: (users) => void changes.push(...users),
    };
    poller = new VersionPoller(options);
  });

  afterEach(() => poller.stop());

  const watch = (user: string, seconds: number, ...paths: string[]): void =>
    poller.watch(user, SOURCE, seconds * SECOND, new Set(paths));

  it('asks at once, and reports the answer to those whom it concerns', async () => {
    watch('a', 60, DB, API);
    expect(poller.answerFor('a', DB)).to.equal(undefined);
    await settle();
    expect(poller.answerFor('a', DB)).to.deep.equal({ kind: 'Version', version: 1 });
    expect(changes).to.deep.equal(['a']);
  });

  it('shares one poll and one login among all users of a path', async () => {
    for (const user of ['a', 'b', 'c']) watch(user, 60, DB);
    await clock.advance(600 * SECOND);
    // every 54 s, and a first one
    expect(vault.reads()).to.have.length(12);
    expect(vault.take('login')).to.have.length(1);
    expect(vault.connected).to.have.length(1);
  });

  it('has one login and one connection for each identity, also of one Vault, with all that the identity says', async () => {
    const more = { caBundle: 'PEM', serverName: 'vault', namespace: 'team' };
    const sources = [SOURCE, { ...SOURCE, name: 'team', mount: 'clusters/eu', role: 'team', ...more }];
    sources.forEach((source, index) => poller.watch(`user ${index}`, source, 60 * SECOND, new Set([DB])));
    await settle();
    await settle();
    const { address } = SOURCE;
    expect(vault.connected).to.deep.equal([
      { address, caBundle: '', serverName: '', namespace: '' },
      { address, ...more },
    ]);
    expect(vault.take('login')).to.deep.equal(['kubernetes operator', 'clusters/eu team']);
    expect(vault.reads()).to.deep.equal([DB, DB]);
  });

  it('asks for one namespace after the other, and tells one although another has very many paths', async () => {
    const many = Array.from({ length: 5_000 }, (_, index) => `secret/metadata/evil/${index}`);
    for (const path of many) vault.secrets.set(path, 1);
    watch('evil/all', 60, ...many);
    watch('shop/all', 60, DB, API);
    while (!changes.includes('shop/all')) await settle();
    // the round that had begun, and the next one
    const reads = vault.reads();
    expect(reads.length).to.be.lessThan(1_500);
    expect([DB, API].map((path) => reads.indexOf(path) < 510)).to.deep.equal([true, true]);
  });

  it('takes more paths than a call can have arguments', () => {
    const many = Array.from({ length: 150_000 }, (_, index) => `secret/metadata/evil/${index}`);
    poller.watch('evil/all', SOURCE, 60 * SECOND, new Set(many));
    expect(() => watch('shop/all', 60, DB)).to.not.throw();
  });

  it('sees a new version within the interval, and tells only whom it concerns', async () => {
    watch('a', 60, DB);
    watch('b', 60, API);
    await settle();
    changes.length = 0;
    vault.secrets.set(DB, 2);
    await clock.advance(60 * SECOND);
    expect(changes).to.deep.equal(['a']);
    expect(poller.answerFor('a', DB)).to.deep.equal({ kind: 'Version', version: 2 });
  });

  it('sees a new version within the interval when the clock was set back', async () => {
    watch('a', 60, DB);
    await settle();
    vault.secrets.set(DB, 2);
    clock.set(-3_600 * SECOND);
    await clock.advance(60 * SECOND);
    expect(poller.answerFor('a', DB)).to.deep.equal({ kind: 'Version', version: 2 });
  });

  it('asks a Vault that was away again in time when the clock was set back', async () => {
    vault.goAway();
    watch('a', 60, DB);
    await settle();
    vault.failure = undefined;
    clock.set(-3_600 * SECOND);
    await clock.advance(60 * SECOND);
    expect(poller.answerFor('a', DB)).to.deep.equal({ kind: 'Version', version: 1 });
  });

  it('asks as often as the shortest interval of its users demands, from when it is shortened', async () => {
    watch('a', 3_600, DB);
    await clock.advance(100 * SECOND);
    expect(vault.reads()).to.deep.equal([DB]);
    watch('b', 10, DB);
    await clock.advance(100 * SECOND);
    expect(vault.reads().length).to.be.within(10, 12);
    poller.unwatch('b');
    await clock.advance(10 * SECOND); // one that was due already
    vault.reads();
    await clock.advance(1_000 * SECOND);
    expect(vault.reads()).to.deep.equal([]);
    await clock.advance(3_000 * SECOND);
    expect(vault.reads()).to.deep.equal([DB]);
  });

  it('does not ask more often if it is told the same repeatedly', async () => {
    for (let second = 0; second < 600; second += 1) {
      watch('a', 60, DB);
      await clock.advance(SECOND);
    }
    expect(vault.reads()).to.have.length(12);
  });

  it('asks at once for a path that is added, and no more for one that is dropped', async () => {
    watch('a', 60, DB);
    await settle();
    watch('a', 60, API);
    await clock.advance(120 * SECOND);
    expect(vault.reads()).to.deep.equal([DB, API, API, API]);
    expect(poller.answerFor('a', DB)).to.equal(undefined);
    expect(vault.take('login')).to.have.length(1);
  });

  it('revokes its token when nobody needs a Vault any more', async () => {
    watch('a', 60, DB);
    await settle();
    poller.unwatch('a');
    await clock.advance(600 * SECOND);
    expect({ tokens: vault.tokens, closed: vault.closed, reads: vault.reads() }).to.deep.equal({
      tokens: 0,
      closed: 1,
      reads: [DB],
    });
  });

  it('revokes all tokens when it stops, and asks nothing after that', async () => {
    watch('a', 60, DB);
    await settle();
    await poller.stop();
    vault.reads();
    await clock.advance(600 * SECOND);
    expect({ tokens: vault.tokens, reads: vault.reads() }).to.deep.equal({ tokens: 0, reads: [] });
  });

  describe('a Vault that is down', () => {
    const many = Array.from({ length: 50 }, (_, n) => `secret/metadata/app-${n}`);

    beforeEach(async () => {
      for (const path of many) vault.secrets.set(path, 1);
      watch('a', 10, ...many);
      watch('b', 10, DB);
      await quiet();
      changes.length = 0;
      vault.asked.length = 0;
    });

    it('is tried with one request at a time, less and less often', async () => {
      vault.goAway();
      await clock.advance(20 * SECOND);
      vault.reads();
      await clock.advance(600 * SECOND);
      // every 22.5 s, between half of 30 s and the whole of it
      expect(vault.reads().length).to.be.within(25, 28);
    });

    it('is reported once to everybody whom it concerns, and what was known stays known', async () => {
      vault.goAway();
      await clock.advance(600 * SECOND);
      expect(changes.sort()).to.deep.equal(['a', 'b']);
      expect(poller.failureFor('a')?.message).to.contain('ECONNREFUSED');
      expect(poller.answerFor('b', DB)).to.deep.equal({ kind: 'Version', version: 1 });
      expect(lines.filter(({ level }) => level === 'warn')).to.have.length(1);
    });

    it('is asked once for each path when it is back, four at a time', async () => {
      vault.goAway();
      await clock.advance(600 * SECOND);
      vault.reads();
      vault.busiest = 0;
      vault.failure = undefined;
      while (vault.busiest === 0) await clock.advance(SECOND / 10);
      await quiet();
      expect(vault.reads().sort()).to.deep.equal([...many, DB].sort());
      expect(vault.busiest).to.equal(4);
      expect(poller.failureFor('a')).to.equal(undefined);
    });

    it('keeps no other Vault waiting', async () => {
      vault.goAway();
      await clock.advance(20 * SECOND);
      const up = vault;
      up.failure = undefined;
      poller.watch('c', at('https://other.example'), 10 * SECOND, new Set([DB]));
      await settle();
      expect(poller.answerFor('c', DB)).to.deep.equal({ kind: 'Version', version: 1 });
    });

    it('is not asked sooner because somebody wants something new from it', async () => {
      vault.goAway();
      await clock.advance(120 * SECOND);
      vault.reads();
      for (let n = 0; n < 100; n += 1) watch(`new ${n}`, 10, `secret/metadata/new-${n}`);
      await clock.advance(SECOND / 10);
      expect(vault.reads().length).to.be.at.most(1);
    });

    it('is reported with the reason when it rejects the log-in', async () => {
      vault.forgetTokens();
      vault.loginFailure = new VaultFailure('LoginRefused', 'Vault does not let the operator in (HTTP 403)');
      await clock.advance(120 * SECOND);
      expect(poller.failureFor('a')?.kind).to.equal('LoginRefused');
      vault.loginFailure = undefined;
      await clock.advance(60 * SECOND);
      await quiet();
      expect(poller.failureFor('a')).to.equal(undefined);
    });
  });

  it('does not let one failing path keep others waiting forever', async () => {
    const failing = 'secret/metadata/failing';
    const read = new VaultFailure('Away', 'the answer took too long');
    const original = vault.secrets;
    Object.defineProperty(vault, 'secrets', {
      value: {
        get: (path: string) => {
          if (path === failing) throw read;
          return original.get(path);
        },
      },
    });
    watch('a', 10, failing, DB, API);
    await clock.advance(60 * SECOND);
    original.set(DB, 2).set(API, 2);
    await clock.advance(120 * SECOND);
    expect(poller.answerFor('a', DB)).to.deep.equal({ kind: 'Version', version: 2 });
    expect(poller.answerFor('a', API)).to.deep.equal({ kind: 'Version', version: 2 });
  });

  it('says nothing about tokens, whatever goes well or wrong', async () => {
    watch('a', 10, DB);
    await clock.advance(60 * SECOND);
    vault.goAway();
    await clock.advance(60 * SECOND);
    vault.failure = undefined;
    vault.forgetTokens();
    vault.loginFailure = new VaultFailure('LoginRefused', 'no');
    await clock.advance(600 * SECOND);
    const said = JSON.stringify([lines, poller.failureFor('a')]);
    expect(said).to.contain('versions of secrets');
    expect(said).not.to.contain('canary');
  });
});
