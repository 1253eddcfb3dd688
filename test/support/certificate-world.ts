/** The webhook's certificates as several replicas keep them. */
import { expect } from 'chai';

import type { Resource } from '../../core/object.ts';
import { isTrusted } from '../../webhook/certificates/inspect.ts';
import { CertificateKeeper } from '../../webhook/certificates/keeper.ts';
import type { CertificateKeeperOptions } from '../../webhook/certificates/keeper.ts';
import { decodeSet, SECRET_NAME } from '../../webhook/certificates/secret.ts';
import type { Secret } from '../../webhook/certificates/secret.ts';
import { Paths } from '../../webhook/paths/keeper.ts';
import type { PathsOptions } from '../../webhook/paths/keeper.ts';
import { ManualClock } from './manual-clock.ts';
import { MemoryApi } from './memory-api.ts';
import { testLog } from './test-log.ts';

export const WAIT_MS = 60_000;
export const SECRETS: Resource = { group: '', version: 'v1', plural: 'secrets', namespace: 'vault' };

/** What a replica is like: it may lead, it may be dead, and the others see it. */
interface Standing {
  readonly keeper: CertificateKeeper;
  isDead: boolean;
}

/** Keepers of certificates before one API server in memory, and what the cluster's configuration holds. */
export class CertificateWorld {
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

  /** The paths of a replica; nothing is published and there are no others, unless `options` say something else. */
  paths(options: Partial<PathsOptions> = {}): Paths {
    return new Paths({
      clock: this.clock,
      logger: this.log.logger,
      published: () => [],
      publishedSince: () => undefined,
      publishes: true,
      peers: () => ({ known: true, areOlder: false, lacks: () => false }),
      isExposed: () => false,
      onRotated: () => undefined,
      waitMs: WAIT_MS,
      ...options,
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
      paths: this.paths(),
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

export function serves(replica: CertificateKeeper, bundle: string, now: number): boolean {
  const pair = replica.servingPair();
  return pair !== undefined && isTrusted(pair.cert, bundle, now);
}

/** Passes until the keeper has nothing more to do at once. */
export async function settle(replica: CertificateKeeper): Promise<void> {
  for (let turn = 0; turn < 10; turn++) if ((await replica.pass()) !== 0) return;
  throw new Error('the keeper does not come to rest');
}
