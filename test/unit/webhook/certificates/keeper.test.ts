import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import { ApiError } from '../../../../kube/object-client.ts';
import type { Resource } from '../../../../core/object.ts';
import { fingerprintOf, isTrusted } from '../../../../webhook/certificates/inspect.ts';
import { CertificateKeeper, SECRET_NAME } from '../../../../webhook/certificates/keeper.ts';
import type { CertificateKeeperOptions } from '../../../../webhook/certificates/keeper.ts';
import { LEAF_LIFE_MS } from '../../../../webhook/certificates/leaf.ts';
import { decodeSet } from '../../../../webhook/certificates/secret.ts';
import type { Secret } from '../../../../webhook/certificates/secret.ts';
import { testLog } from '../../../support/test-log.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryApi } from '../../../support/memory-api.ts';

const DAY = 24 * 3600_000;
const WAIT_MS = 60_000;
const SECRETS: Resource = { group: '', version: 'v1', plural: 'secrets', namespace: 'vault' };

/** What a replica is like: it may lead, it may be dead, and the others see it. */
interface Standing {
  readonly keeper: CertificateKeeper;
  isDead: boolean;
}

class World {
  readonly api = new MemoryApi();
  readonly clock = new ManualClock();
  readonly log = testLog();
  /** What the cluster's configuration holds, and since when. */
  published = new Map<string, number>();
  repairs = 0;
  /** Who leads; undefined: everybody, where that makes no difference. */
  leader: CertificateKeeper | undefined;
  readonly #replicas: Standing[] = [];

  /** Another replica, which sees what those before it and after it serve. */
  peer(options: Partial<CertificateKeeperOptions> = {}): CertificateKeeper {
    const others = (): ReturnType<CertificateKeeper['fingerprints']>[] =>
      this.#replicas.filter((one) => one.keeper !== keeper && !one.isDead).map((one) => one.keeper.fingerprints());
    const keeper: CertificateKeeper = this.replica({
      isLeader: () => this.leader === keeper,
      others: {
        known: () => true,
        serves: (fingerprint) => others().some(({ serves }) => serves === fingerprint),
        lacks: (fingerprint) =>
          others().some(({ serves, authorities }) => serves !== '' && !authorities.includes(fingerprint)),
      },
      ...options,
    });
    this.#replicas.push({ keeper, isDead: false });
    return keeper;
  }

  kill(keeper: CertificateKeeper): void {
    for (const one of this.#replicas) if (one.keeper === keeper) one.isDead = true;
  }

  get alive(): readonly CertificateKeeper[] {
    return this.#replicas.filter(({ isDead }) => !isDead).map(({ keeper }) => keeper);
  }

  /** Whether API servers accept what every living replica serves. */
  get isTrusted(): boolean {
    const bundle = [...this.published.keys()].join('\n');
    return this.alive.every((one) => one.servingPair() === undefined || serves(one, bundle, this.clock.now()));
  }

  /** So many steps of 20 s; the leader publishes what it has, and everybody is trusted after each. */
  async steps(count: number): Promise<void> {
    for (let step = 0; step < count; step++) {
      for (const one of this.alive) {
        await settle(one);
        expect(this.isTrusted, `after a pass in step ${step}`).to.equal(true);
      }
      if (this.leader !== undefined) this.publish(this.leader);
      expect(this.isTrusted, `published in step ${step}`).to.equal(true);
      await this.clock.advance(20_000);
    }
  }

  ask(value: string): void {
    this.api.edit(SECRETS, SECRET_NAME, 'kubectl-annotate', (secret) => {
      const metadata = secret.metadata as { annotations?: object };
      metadata.annotations = { ...metadata.annotations, 'vaultinjection.dev/renew': value };
    });
  }

  replica(options: Partial<CertificateKeeperOptions> = {}): CertificateKeeper {
    return new CertificateKeeper({
      client: this.api,
      clock: this.clock,
      random: () => 0,
      logger: this.log.logger,
      namespace: 'vault',
      labels: { 'app.kubernetes.io/managed-by': 'vault-injection-operator' },
      names: ['webhook.vault.svc'],
      isLeader: () => true,
      publishedBundle: () => (this.published.size === 0 ? undefined : [...this.published.keys()].join('\n')),
      waitMs: WAIT_MS,
      others: { known: () => true, serves: () => false, lacks: () => false },
      publishedSince: (pem) => this.published.get(pem.trim()),
      onRepaired: () => {
        this.repairs += 1;
      },
      ...options,
    });
  }

  /** The configuration now holds this replica's bundle. */
  publish(replica: CertificateKeeper): void {
    const blocks = replica.bundlePem().match(/-----BEGIN[\s\S]+?END CERTIFICATE-----/g) ?? [];
    this.published = new Map(blocks.map((pem) => [pem, this.published.get(pem) ?? this.clock.elapsed()]));
  }

  async secret(): Promise<Secret> {
    const secret = await this.api.get<Secret>(SECRETS, SECRET_NAME);
    if (secret === undefined) throw new Error('there is no Secret');
    return secret;
  }

  async stage(): Promise<string> {
    const { next, previous } = decodeSet(await this.secret());
    return next ? 'next' : previous ? 'previous' : 'steady';
  }

  corrupt(key: string): void {
    this.api.edit(SECRETS, SECRET_NAME, 'kubectl-edit', (secret) => {
      secret.data = { ...(secret.data as object), [key]: 'AAAA' };
    });
  }
}

function serves(replica: CertificateKeeper, bundle: string, now: number): boolean {
  const pair = replica.servingPair();
  return pair !== undefined && isTrusted(pair.cert, bundle, now);
}

/** Passes until the keeper has nothing more to do at once. */
async function settle(replica: CertificateKeeper): Promise<void> {
  for (let turn = 0; turn < 10; turn++) if ((await replica.pass()) !== 0) return;
  throw new Error('the keeper does not come to rest');
}

describe('the keeper of certificates', () => {
  it('creates an authority and a certificate if there are none, and stores them before it serves', async () => {
    const world = new World();
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
      authorityNotAfter: world.clock.now() + 365 * DAY,
    });
    expect(world.repairs).to.equal(0);
  });

  it('fills an empty Secret that came with the installation', async () => {
    const world = new World();
    const metadata = { name: SECRET_NAME, namespace: 'vault', labels: { team: 'platform' } };
    await world.api.create(SECRETS, { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata });
    await settle(world.replica());
    const secret = await world.secret();
    expect(decodeSet(secret).damaged).to.deep.equal([]);
    expect(secret.metadata.labels).to.include({ team: 'platform' });
    expect(world.repairs).to.equal(0);
  });

  it('says so, and retries, if its namespace does not exist', async () => {
    const world = new World();
    world.api.before = (operation) => {
      if (operation === 'create') throw new ApiError(404, 'NotFound', 'namespaces "vault" not found');
    };
    const error = await world
      .replica()
      .pass()
      .catch((reason: unknown) => reason);
    expect(error).to.have.property('message', 'namespaces "vault" not found');
  });

  it('takes what the Secret holds after a restart, and writes nothing', async () => {
    const world = new World();
    const first = world.replica();
    await settle(first);
    world.api.calls.length = 0;
    const second = world.replica();
    await settle(second);
    expect(second.servingPair()).to.deep.equal(first.servingPair());
    expect(world.api.calls).to.deep.equal([`get ${SECRET_NAME}`]);
  });

  it('issues another certificate when it is called by another name', async () => {
    const world = new World();
    await settle(world.replica());
    const moved = world.replica({ names: ['127.0.0.1'] });
    await settle(moved);
    expect(new X509Certificate(moved.servingPair()?.cert ?? '').checkIP('127.0.0.1')).not.to.equal(undefined);
    expect(decodeSet(await world.secret()).leaf).to.deep.equal(moved.servingPair());
  });

  it('renews the certificate at two thirds of its life under the same authority', async () => {
    const world = new World();
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
    const world = new World();
    const replica = world.replica();
    await settle(replica);
    world.publish(replica);
    const trusted = (): boolean => serves(replica, [...world.published.keys()].join('\n'), world.clock.now());
    const stages = [await world.stage()];
    const old = decodeSet(await world.secret()).current;
    await world.clock.advance(250 * DAY);
    for (let hours = 0; hours < 24 * 10; hours++) {
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
    const world = new World();
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
    const world = new World();
    const stages = new Set<string>();
    let write = 0;
    world.api.after = (operation) => {
      if ((operation === 'create' || operation === 'replace') && write++ % 2 === 0) {
        throw new ApiError(0, 'Crashed', 'the answer was lost');
      }
    };
    await world.clock.advance(1);
    for (let pass = 0; pass < 60; pass++) {
      const replica = world.replica();
      await replica.pass().catch(() => undefined);
      const secret = await world.secret();
      expect(decodeSet(secret).damaged).to.deep.equal([]);
      stages.add(await world.stage());
      world.publish(replica);
      await world.clock.advance(pass === 5 ? 250 * DAY : WAIT_MS);
      if (pass > 20) await world.clock.advance(DAY);
    }
    expect([...stages]).to.deep.equal(['steady', 'next', 'previous']);
    expect(await world.stage()).to.equal('steady');
  });

  it('writes the Secret again from memory when it was deleted', async () => {
    const world = new World();
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
      const world = new World();
      const replica = world.replica();
      await settle(replica);
      const before = await world.secret();
      world.corrupt(key);
      await settle(replica);
      expect((await world.secret()).data).to.deep.equal(before.data);
      expect(world.log.lines.filter(({ level }) => level === 'warn')).to.have.length(1);
    });

    it(`recreates what cannot be saved when ${key} was damaged while it was down`, async () => {
      const world = new World();
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
    const world = new World();
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
    const world = new World();
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
    const world = new World();
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
    const world = new World();
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

describe('the keepers of certificates of several replicas', () => {
  let world: World;
  let one: CertificateKeeper;
  let two: CertificateKeeper;

  beforeEach(async () => {
    world = new World();
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
    const fresh = new World();
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

/** Real cryptography takes real time, which the manual clock knows nothing of. */
async function untilTrue(clock: ManualClock, ask: () => boolean): Promise<void> {
  for (let turn = 0; turn < 500; turn++) {
    if (ask()) return;
    await clock.advance(1000);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error('it never became true');
}
