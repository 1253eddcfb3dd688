import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';

import { fromBase64 } from '../../../../core/base64.ts';
import { ApiError } from '../../../../kube/object-client.ts';
import { SECRET_NAME } from '../../../../webhook/certificates/secret.ts';
import { LEAF_LIFE_MS } from '../../../../webhook/certificates/leaf.ts';
import { decodeSet } from '../../../../webhook/certificates/secret.ts';
import { CertificateWorld, SECRETS, serves, settle, WAIT_MS } from '../../../support/certificate-world.ts';
import type { ManualClock } from '../../../support/manual-clock.ts';

const HOUR = 3600_000;
const DAY = 24 * HOUR;

describe('the keeper of certificates', () => {
  it('creates an authority and a certificate if there are none, and stores them before it serves', async () => {
    const world = new CertificateWorld();
    const replica = world.replica();
    await settle(replica);
    const secret = await world.secret();
    expect(secret.type).to.equal('Opaque');
    expect(secret.metadata.labels).to.deep.equal({ 'app.kubernetes.io/managed-by': 'vault-injection-operator' });
    expect(decodeSet(secret).leaf).to.deep.equal(replica.servingPair());
    expect(serves(replica, replica.bundlePem(), world.clock.now())).to.equal(true);
    expect(replica.certificateStatus()).to.deep.equal({
      ready: true,
      stage: 'Steady',
      leafNotAfter: world.clock.now() + LEAF_LIFE_MS,
      // after two thirds of their lives, which begin an hour before they are issued
      leafRenewAt: world.clock.now() - HOUR + ((LEAF_LIFE_MS + HOUR) * 2) / 3,
      authorityNotAfter: world.clock.now() + 365 * DAY,
      authorityRenewAt: world.clock.now() - HOUR + ((365 * DAY + HOUR) * 2) / 3,
    });
    expect(world.repairs).to.equal(0);
  });

  it('creates it by its name alone, and leaves it to the process that fills it first', async () => {
    const world = new CertificateWorld();
    const faster = new CertificateWorld();
    await settle(faster.replica());
    const { data } = await faster.secret();
    const metadata = { name: SECRET_NAME, namespace: 'vault' };
    for (const moment of ['apply', 'replace']) {
      let isDue = true;
      world.api.before = async (operation, name) => {
        if (operation !== moment || !isDue) return;
        isDue = false;
        const secret = { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata, data: { ...data } };
        if (moment === 'apply') await world.api.create(SECRETS, secret);
        else world.api.edit(SECRETS, name, 'another', (object) => (object.data = { ...data }));
      };
      const replica = world.replica();
      await settle(replica);
      expect((await world.secret()).data, moment).to.deep.equal(data);
      expect(replica.bundlePem(), moment).to.contain(fromBase64(data?.['ca.crt'] ?? '').trim());
      await world.api.delete(SECRETS, SECRET_NAME);
    }
    expect(world.api.calls.filter((call) => call.startsWith('apply'))).to.have.length(2);
  });

  it('fills an empty Secret that came with the installation', async () => {
    const world = new CertificateWorld();
    const metadata = { name: SECRET_NAME, namespace: 'vault', labels: { team: 'platform' } };
    await world.api.create(SECRETS, { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata });
    await settle(world.replica());
    const secret = await world.secret();
    expect(decodeSet(secret).damaged).to.deep.equal([]);
    expect(secret.metadata.labels).to.include({ team: 'platform' });
    expect(world.repairs).to.equal(0);
  });

  it('says so, and retries, if its namespace does not exist', async () => {
    const world = new CertificateWorld();
    world.api.before = (operation) => {
      if (operation === 'apply') throw new ApiError(404, 'NotFound', 'namespaces "vault" not found');
    };
    const error = await world
      .replica()
      .pass()
      .catch((reason: unknown) => reason);
    expect(error).to.have.property('message', 'namespaces "vault" not found');
  });

  it('takes what the Secret holds after a restart, and writes nothing', async () => {
    const world = new CertificateWorld();
    const first = world.replica();
    await settle(first);
    world.api.calls.length = 0;
    const second = world.replica();
    await settle(second);
    expect(second.servingPair()).to.deep.equal(first.servingPair());
    expect(world.api.calls).to.deep.equal([`get ${SECRET_NAME}`]);
  });

  it('issues another certificate when it is called by another name', async () => {
    const world = new CertificateWorld();
    await settle(world.replica());
    const moved = world.replica({ names: ['127.0.0.1'] });
    await settle(moved);
    expect(new X509Certificate(moved.servingPair()?.cert ?? '').checkIP('127.0.0.1')).not.to.equal(undefined);
    expect(decodeSet(await world.secret()).leaf).to.deep.equal(moved.servingPair());
  });

  it('renews the certificate at two thirds of its life under the same authority', async () => {
    const world = new CertificateWorld();
    const replica = world.replica();
    await settle(replica);
    const before = { pair: replica.servingPair(), bundle: replica.bundlePem() };
    let told = 0;
    replica.onChange(() => {
      told += 1;
    });
    await world.clock.advance(4 * DAY);
    await settle(replica);
    expect([replica.servingPair(), told]).to.deep.equal([before.pair, 0]);
    await world.clock.advance(DAY);
    await settle(replica);
    expect(replica.servingPair()).not.to.deep.equal(before.pair);
    expect([replica.bundlePem(), told]).to.deep.equal([before.bundle, 1]);
    expect(decodeSet(await world.secret()).leaf).to.deep.equal(replica.servingPair());
  });

  it('goes through the stages of a rotation, and what it serves is trusted at each of them', async () => {
    const world = new CertificateWorld();
    const replica = world.replica();
    await settle(replica);
    world.publish(replica);
    const trusted = (): boolean => serves(replica, [...world.published.keys()].join('\n'), world.clock.now());
    const stages = [await world.stage()];
    const old = decodeSet(await world.secret()).current;
    await world.clock.advance(250 * DAY);
    for (let hours = 0; hours < 24; hours++) {
      await settle(replica);
      expect(trusted(), `after ${hours} hours`).to.equal(true);
      const stage = await world.stage();
      if (stage !== stages.at(-1)) stages.push(stage);
      world.publish(replica);
      expect(trusted(), `after ${hours} hours, published`).to.equal(true);
      await world.clock.advance(3600_000);
    }
    expect(stages).to.deep.equal(['steady', 'next', 'previous', 'steady']);
    expect(decodeSet(await world.secret()).current).not.to.deep.equal(old);
  });

  it('stays with the old authority until the new one is published', async () => {
    const world = new CertificateWorld();
    const replica = world.replica();
    await settle(replica);
    await world.clock.advance(300 * DAY);
    await settle(replica);
    await world.clock.advance(10 * WAIT_MS);
    await settle(replica);
    expect(await world.stage()).to.equal('next');
    expect(replica.certificateStatus().stage).to.equal('Publishing');
  });

  it('goes on from wherever a crash left it', async () => {
    // the whole rotation by processes that die: each lives for one pass, and every second one loses the answer to its write
    const world = new CertificateWorld();
    const stages = new Set<string>();
    let write = 0;
    world.api.after = (operation) => {
      if ((operation === 'apply' || operation === 'replace') && write++ % 2 === 0) {
        throw new ApiError(0, 'Crashed', 'the answer was lost');
      }
    };
    await world.clock.advance(1);
    for (let pass = 0; pass < 60; pass++) {
      const replica = world.replica();
      await replica.pass().catch(() => undefined);
      const secret = await world.secret();
      // it is created empty
      if (secret.data !== undefined) expect(decodeSet(secret).damaged).to.deep.equal([]);
      else expect(pass).to.equal(0);
      stages.add(await world.stage());
      world.publish(replica);
      await world.clock.advance(pass === 5 ? 250 * DAY : WAIT_MS);
      if (pass > 20) await world.clock.advance(DAY);
    }
    expect([...stages]).to.deep.equal(['steady', 'next', 'previous']);
    expect(await world.stage()).to.equal('steady');
  });

  it('writes the Secret again from memory when it was deleted', async () => {
    const world = new CertificateWorld();
    const replica = world.replica();
    await settle(replica);
    const before = await world.secret();
    await world.api.delete(SECRETS, SECRET_NAME);
    await settle(replica);
    expect((await world.secret()).data).to.deep.equal(before.data);
    expect(world.repairs).to.equal(1);
    expect(world.log.lines.map(({ message }) => message)).to.contain('the Secret of the certificates was deleted');
  });

  for (const key of ['ca.crt', 'ca.key', 'tls.crt', 'tls.key']) {
    it(`writes the Secret again from memory when ${key} was damaged`, async () => {
      const world = new CertificateWorld();
      const replica = world.replica();
      await settle(replica);
      const before = await world.secret();
      world.corrupt(key);
      await settle(replica);
      expect((await world.secret()).data).to.deep.equal(before.data);
      expect(world.log.lines.filter(({ level }) => level === 'warn')).to.have.length(1);
    });

    it(`recreates what cannot be saved when ${key} was damaged while it was down`, async () => {
      const world = new CertificateWorld();
      await settle(world.replica());
      world.corrupt(key);
      const later = world.replica();
      await settle(later);
      expect(decodeSet(await world.secret()).damaged).to.deep.equal([]);
      expect(serves(later, later.bundlePem(), world.clock.now())).to.equal(true);
      const keys = JSON.stringify(world.log.lines);
      expect(keys).to.contain(key);
      expect(keys).not.to.contain('PRIVATE KEY');
    });
  }

  it('goes on serving what is trusted when the authority had to be recreated, until the new one is published', async () => {
    const world = new CertificateWorld();
    const first = world.replica();
    await settle(first);
    world.publish(first);
    await world.clock.advance(1);
    world.corrupt('ca.key');
    const later = world.replica();
    await settle(later);
    expect(later.servingPair()).to.deep.equal(first.servingPair());
    expect(later.bundlePem()).to.contain(first.bundlePem().trim());
    world.publish(later);
    await settle(later);
    expect(later.servingPair()).to.deep.equal(first.servingPair());
    await world.clock.advance(WAIT_MS);
    await settle(later);
    expect(later.servingPair()).not.to.deep.equal(first.servingPair());
    expect(serves(later, later.bundlePem(), world.clock.now())).to.equal(true);
  });

  it('lets another replica serve a certificate of its own without taking turns in the Secret', async () => {
    const world = new CertificateWorld();
    const [one, two] = [world.replica(), world.replica({ names: ['127.0.0.1'] })];
    await settle(one);
    await settle(two);
    world.api.calls.length = 0;
    for (let turn = 0; turn < 5; turn++) {
      await settle(one);
      await settle(two);
    }
    expect(world.api.calls.filter((call) => !call.startsWith('get'))).to.deep.equal([]);
  });

  it('renews what it serves although it may not read the Secret any more', async () => {
    const world = new CertificateWorld();
    const replica = world.replica();
    await settle(replica);
    await world.clock.advance(6 * DAY);
    world.api.before = () => {
      throw new ApiError(403, 'Forbidden', 'secrets is forbidden');
    };
    const error = await replica.pass().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(ApiError);
    expect(serves(replica, replica.bundlePem(), world.clock.now() + 5 * DAY)).to.equal(true);
  });

  it('runs by itself: it starts when the API server is up, and repairs the Secret when the watch reports it', async () => {
    const world = new CertificateWorld();
    let away = true;
    world.api.before = () => {
      if (away) throw new ApiError(0, 'ConnectionRefused', 'no API server');
    };
    const replica = world.replica();
    const started = replica.start();
    await world.clock.advance(10_000);
    expect(replica.servingPair()).to.equal(undefined);
    away = false;
    await untilTrue(world.clock, () => replica.servingPair() !== undefined);
    await started;
    await untilTrue(world.clock, () => world.api.calls.some((call) => call.startsWith('watch')));
    await world.api.delete(SECRETS, SECRET_NAME);
    await untilTrue(world.clock, () => world.repairs === 1);
    await world.clock.advance(1000);
    expect(decodeSet(await world.secret()).leaf).to.deep.equal(replica.servingPair());
    await replica.stop();
  });
});

/** Real cryptography takes real time, which the manual clock knows nothing of. */
async function untilTrue(clock: ManualClock, ask: () => boolean): Promise<void> {
  for (let turn = 0; turn < 500; turn++) {
    if (ask()) return;
    await clock.advance(1000);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error('it never became true');
}
