/** The replicas of a soak: each has its own way to the API server, which can be cut, and a Service that follows readiness. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { ControlPlane } from '../support/control-plane.ts';
import { startBalancer } from '../support/balancer.ts';
import type { Balancer } from '../support/balancer.ts';
import { eventually, startOperator } from '../support/operator.ts';
import type { RunningOperator } from '../support/operator.ts';
import type { SoakRecord } from './soak-record.ts';

export interface SoakReplicasOptions {
  readonly plane: ControlPlane;
  readonly record: SoakRecord;
  /** The bundle's folder; undefined: from the sources. */
  readonly dist?: string | undefined;
  readonly certificateWait: string;
  /** Where the logs go when a replica has ended. */
  readonly logs: string;
}

interface Replica {
  readonly name: string;
  readonly operator: RunningOperator;
  /** Its way to the API server. */
  readonly way: Balancer;
  isLeaving: boolean;
  /** performance.now() of the first of the looks in a row that found it not ready. */
  notReadySince: number | undefined;
}

const READY_MS = 240_000;
const LOOK_MS = 1_000;
// two probes of five seconds each that fail, as in config/operator/deployment.yaml, and what endpoints take
const UNREADY_MS = 10_000;
const DRAIN_S = 5;

export class SoakReplicas {
  readonly #options: SoakReplicasOptions;
  readonly #replicas: (Replica | undefined)[] = [];
  readonly #apiServerPort: number;
  #service: Balancer | undefined;
  #lives = 0;
  #isStopped = false;
  #following: Promise<void> = Promise.resolve();

  constructor(options: SoakReplicasOptions) {
    this.#options = options;
    this.#apiServerPort = Number(new URL(options.plane.server).port);
  }

  /** Starts them one after the other; resolves when all are ready. */
  async start(count: number): Promise<void> {
    this.#service = await startBalancer();
    this.#following = this.#followReadiness(this.#service);
    for (let index = 0; index < count; index += 1) this.#replicas[index] = await this.#startOne(index);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#following;
    await Promise.all(this.#running().map((replica) => this.#end(replica, 'SIGKILL')));
    await this.#service?.stop();
  }

  /** Ends one and starts another in its place; resolves when that is ready. */
  async restart(index: number, signal: NodeJS.Signals): Promise<void> {
    const replica = this.#replicas[index];
    this.#replicas[index] = undefined;
    if (replica !== undefined) await this.#end(replica, signal);
    this.#replicas[index] = await this.#startOne(index);
  }

  /** Closes all connections of one replica to the API server, or those of all if there is none of this number. */
  cut(index: number): Promise<void> {
    const one = this.#replicas[index];
    for (const { way } of one === undefined ? this.#running() : [one]) {
      way.aim([]);
      way.aim([this.#apiServerPort]);
    }
    return Promise.resolve();
  }

  async isolateLeader(ms: number): Promise<void> {
    const running = this.#running();
    const leading = await Promise.all(
      running.map(async ({ operator }) => /^vault_injection_leader 1$/m.test((await operator.health('/metrics')).body)),
    );
    const leader = running[leading.indexOf(true)];
    leader?.way.aim([]);
    await sleep(ms);
    leader?.way.aim([this.#apiServerPort]);
  }

  async sample(): Promise<void> {
    const { record } = this.#options;
    await Promise.all(this.#running().map(({ name, operator, way }) => record.sample(name, operator, way.port)));
  }

  async faults(): Promise<string[]> {
    const answers = this.#running().map(async ({ name, operator }) => {
      const { status, body } = await operator.health('/readyz');
      return status === 200 ? [] : [`${name}: /readyz says ${status} ${body.trim()}`];
    });
    return (await Promise.all(answers)).flat();
  }

  #running(): readonly Replica[] {
    return this.#replicas.filter((replica) => replica !== undefined);
  }

  async #startOne(index: number): Promise<Replica> {
    const { plane, dist, certificateWait } = this.#options;
    this.#lives += 1;
    const name = `replica-${index + 1}.${this.#lives}`;
    const way = await startBalancer();
    way.aim([this.#apiServerPort]);
    const kubeconfig = await plane.kubeconfigOf(name, ['system:masters']);
    writeFileSync(kubeconfig, readFileSync(kubeconfig, 'utf8').replaceAll(plane.server, way.url));
    const operator = await startOperator({
      controlPlane: { ...plane, kubeconfig },
      url: this.#service?.url ?? '',
      flags: ['--certificate-wait', certificateWait, '--drain', `${DRAIN_S}s`],
      prepare: false,
      ...(dist === undefined ? {} : { bundled: true, dist }),
    });
    const replica: Replica = { name, operator, way, isLeaving: false, notReadySince: 0 };
    this.#replicas[index] = replica;
    await eventually(
      `${name} to be ready`,
      async () => {
        if (!operator.running()) throw new Error(`${name} ended: ${operator.log().slice(-2000)}`);
        return (await operator.health('/readyz')).status === 200 ? true : undefined;
      },
      READY_MS,
    );
    return replica;
  }

  /** A Service leaves out at once who has to end. */
  async #end(replica: Replica, signal: NodeJS.Signals): Promise<void> {
    const { record, logs } = this.#options;
    const { operator, way, name } = replica;
    replica.isLeaving = true;
    if (signal === 'SIGTERM' && operator.running()) {
      this.#aim();
      await operator.terminate().catch((error: unknown) => record.violated(`${name}: ${(error as Error).message}`));
    }
    await operator.stop('SIGKILL');
    writeFileSync(join(logs, `${name}.log`), operator.log());
    await way.stop();
  }

  #aim(): void {
    const isIn = ({ isLeaving, notReadySince, operator }: Replica): boolean =>
      operator.running() &&
      !isLeaving &&
      (notReadySince === undefined || (notReadySince > 0 && performance.now() - notReadySince < UNREADY_MS));
    this.#service?.aim(
      this.#running()
        .filter(isIn)
        .map(({ operator }) => operator.webhookPort),
    );
  }

  async #followReadiness(service: Balancer): Promise<void> {
    while (!this.#isStopped) {
      await Promise.all(
        this.#running().map(async (replica) => {
          const isReady = (await replica.operator.health('/readyz')).status === 200;
          if (isReady) replica.notReadySince = undefined;
          else replica.notReadySince ??= performance.now();
        }),
      );
      this.#aim();
      await sleep(LOOK_MS);
    }
    service.aim([]);
  }
}
