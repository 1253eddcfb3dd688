import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';

import { ApiError } from '../../../../kube/object-client.ts';
import { fingerprintOf } from '../../../../webhook/certificates/inspect.ts';
import type { CertificateKeeper } from '../../../../webhook/certificates/keeper.ts';
import { SECRET_NAME } from '../../../../webhook/certificates/secret.ts';
import { decodeSet } from '../../../../webhook/certificates/secret.ts';
import type { Secret } from '../../../../webhook/certificates/secret.ts';
import { CertificateWorld, SECRETS, serves, settle } from '../../../support/certificate-world.ts';

const DAY = 24 * 3600_000;

describe('the keepers of certificates of several replicas', () => {
  let world: CertificateWorld;
  let one: CertificateKeeper;
  let two: CertificateKeeper;

  beforeEach(async () => {
    world = new CertificateWorld();
    one = world.peer();
    two = world.peer();
    world.leader = one;
    await settle(two);
    await settle(one);
    await settle(two);
    world.publish(one);
    await world.steps(4);
  });

  const current = async (): Promise<string> =>
    fingerprintOf(decodeSet(await world.secret()).current?.certificate ?? '');
  /** By whose authority each living replica serves. */
  const served = (): string[] => world.alive.map((each) => each.fingerprints().serves);

  it('leave the writing to the leader, which the others wait for at the very first start', async () => {
    const fresh = new CertificateWorld();
    const [leader, other] = [fresh.peer(), fresh.peer()];
    await settle(other);
    expect([other.servingPair(), other.certificateStatus().ready]).to.deep.equal([undefined, false]);
    expect(fresh.api.calls).to.deep.equal([`get ${SECRET_NAME}`]);
    fresh.leader = leader;
    await settle(leader);
    fresh.api.calls.length = 0;
    await settle(other);
    expect(other.bundlePem()).to.equal(leader.bundlePem());
    expect(other.servingPair()).not.to.equal(undefined);
    expect(fresh.api.calls).to.deep.equal([`get ${SECRET_NAME}`]);
  });

  it('go on with what they have while the Secret is gone or damaged, until the leader has repaired it', async () => {
    const before = two.servingPair();
    world.corrupt('ca.key');
    await settle(two);
    await world.api.delete(SECRETS, SECRET_NAME);
    await settle(two);
    expect(two.servingPair()).to.deep.equal(before);
    expect(await world.api.get(SECRETS, SECRET_NAME)).to.equal(undefined);
    await settle(one);
    expect(await current()).to.equal(two.fingerprints().serves);
  });

  it('rotate when somebody asks for it, once for each value, and are trusted at each step', async () => {
    const before = await current();
    world.ask('2026-11-26');
    await world.steps(12);
    const after = await current();
    expect(after).not.to.equal(before);
    expect(served()).to.deep.equal([after, after]);
    expect(await world.stage()).to.equal('steady');
    expect(one.fingerprints().authorities).to.deep.equal([after]);
    await world.steps(12);
    expect(await current()).to.equal(after);
    world.ask('again');
    await world.steps(12);
    expect(await current()).not.to.equal(after);
  });

  it('do not serve a new authority before every replica has it, nor retire the old one while one serves it', async () => {
    world.ask('now');
    await settle(one);
    world.publish(one);
    // the second one is stuck, and looks at nothing
    for (let step = 0; step < 10; step++) {
      await settle(one);
      await world.clock.advance(20_000);
    }
    expect(await world.stage()).to.equal('next');
    await settle(two);
    await settle(one);
    expect(await world.stage()).to.equal('previous');
    for (let step = 0; step < 10; step++) {
      await settle(one);
      world.publish(one);
      expect(world.isTrusted).to.equal(true);
      await world.clock.advance(3600_000);
    }
    expect(await world.stage(), 'the second one still serves the old one').to.equal('previous');
    await world.steps(6);
    expect(await world.stage()).to.equal('steady');
  });

  it('do not wait for a replica that has died', async () => {
    world.ask('now');
    await settle(one);
    world.kill(two);
    await world.steps(12);
    expect(await world.stage()).to.equal('steady');
    expect(served()).to.deep.equal([await current()]);
  });

  for (let passes = 1; passes <= 12; passes++)
    it(`go on when the leader dies after pass ${passes} of a rotation, and another one leads`, async () => {
      const before = await current();
      world.ask('now');
      for (let pass = 0; pass < passes; pass++) {
        await settle(pass % 2 === 0 ? one : two);
        if (pass % 3 === 1) world.publish(one);
        expect(world.isTrusted).to.equal(true);
        await world.clock.advance(20_000);
      }
      world.kill(one);
      world.leader = two;
      const three = world.peer();
      await world.steps(16);
      const after = await current();
      expect(after).not.to.equal(before);
      expect(served()).to.deep.equal([after, after]);
      expect(await world.stage()).to.equal('steady');
      expect(three.fingerprints().authorities).to.deep.equal([after]);
    });

  it('go on when every write of the leader takes effect but its answer is lost', async () => {
    world.api.after = (operation) => {
      if (operation === 'replace') throw new ApiError(0, 'Timeout', 'the answer was lost');
    };
    world.ask('now');
    for (let step = 0; step < 16; step++) {
      for (const each of world.alive) {
        await each.pass().catch(() => undefined);
        expect(world.isTrusted).to.equal(true);
      }
      world.publish(one);
      expect(world.isTrusted).to.equal(true);
      await world.clock.advance(20_000);
    }
    expect(await world.stage()).to.equal('steady');
    expect(served()).to.deep.equal([await current(), await current()]);
  });

  describe('after the Secret was restored from an older backup', () => {
    let backup: Secret['data'];
    let old: string;

    beforeEach(async () => {
      backup = (await world.secret()).data;
      old = await current();
      world.ask('now');
      await world.steps(12);
      expect(await current()).not.to.equal(old);
    });

    const restore = (): void =>
      world.api.edit(SECRETS, SECRET_NAME, 'restore', (secret) => void (secret.data = structuredClone(backup)));

    it('keep what they serve published, and change to the restored authority as to a new one', async () => {
      const before = served();
      restore();
      await settle(one);
      expect(served()).to.deep.equal(before);
      expect(one.fingerprints().authorities).to.include.members([old, ...before]);
      world.publish(one);
      await world.steps(1);
      expect(served(), 'not before every API server has it').to.deep.equal(before);
      await world.steps(12);
      expect(served()).to.deep.equal([old, old]);
      expect(one.fingerprints().authorities).to.deep.equal([old]);
    });

    it('do so although another replica leads, which has just started', async () => {
      world.kill(one);
      const three = world.peer();
      world.leader = three;
      restore();
      // nobody sends reviews to it before it is trusted
      await settle(three);
      await settle(two);
      expect(three.fingerprints().authorities).to.include.members([old, two.fingerprints().serves]);
      world.publish(three);
      await world.steps(12);
      expect(served()).to.deep.equal([old, old]);
      expect(three.fingerprints().authorities).to.deep.equal([old]);
    });

    it('serve the restored one at once where nothing else is left', async () => {
      world.kill(one);
      world.kill(two);
      const three = world.peer();
      world.leader = three;
      restore();
      await settle(three);
      expect(three.fingerprints()).to.deep.equal({ authorities: [old], serves: old });
    });
  });

  describe('when clocks differ', () => {
    for (const [what, ms] of [
      ['ten minutes ahead', 600_000],
      ['ten minutes behind', -600_000],
    ] as const)
      it(`serve what is trusted by a clock that is ${what}`, async () => {
        world.ask('now');
        for (let step = 0; step < 12; step++) {
          await settle(one);
          world.clock.set(ms);
          await settle(two);
          const there = world.isTrusted;
          world.clock.set(-ms);
          expect([there, world.isTrusted]).to.deep.equal([true, true]);
          world.publish(one);
          await world.clock.advance(20_000);
        }
        expect(await world.stage()).to.equal('steady');
        const bundle = [...world.published.keys()].join('\n');
        for (const each of world.alive) {
          const { validFromDate } = new X509Certificate(each.servingPair()?.cert ?? '');
          expect(validFromDate.getTime()).to.be.at.most(world.clock.now() - 600_000);
          expect(serves(each, bundle, world.clock.now())).to.equal(true);
        }
      });

    for (const hours of [-1, -12, 1])
      it(`change nothing when the clock is set by ${hours} hours`, async () => {
        const before = [await current(), one.servingPair(), two.servingPair()];
        world.clock.set(hours * 3600_000);
        await world.steps(6);
        expect([await current(), one.servingPair(), two.servingPair()]).to.deep.equal(before);
      });

    it('finish a rotation by the time that passes, although the clock is set back meanwhile', async () => {
      world.ask('now');
      await world.steps(2);
      world.clock.set(-3600_000);
      await world.steps(10);
      expect(await world.stage()).to.equal('steady');
      expect(served()).to.deep.equal([await current(), await current()]);
    });
  });

  it('tell each of its own certificate when it expires', async () => {
    await world.clock.advance(5 * DAY);
    await settle(one);
    const [mine, theirs] = [one, two].map((each) => each.certificateStatus().leafNotAfter ?? 0);
    expect((mine ?? 0) - (theirs ?? 0)).to.be.within(5 * DAY - 600_000, 5 * DAY + 600_000);
  });
});
