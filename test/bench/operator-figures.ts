/** What a running operator takes: memory, connections, and how long its event loop was blocked. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import type { RunningOperator } from '../support/operator.ts';

export interface Memory {
  readonly rssMiB: number;
  readonly peakMiB: number;
}

export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) / 1024;
  return { rssMiB: of('VmRSS'), peakMiB: of('VmHWM') };
}

const ESTABLISHED = '01';

/** How many connections the process has to this port of loopback. */
export function connectionsTo(pid: number, port: number): number {
  const own = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1];
    if (inode !== undefined) own.add(inode);
  }
  const remote = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = readFileSync(`/proc/${pid}/net/tcp`, 'utf8').split('\n').slice(1);
  const rows = lines.map((line) => line.trim().split(/\s+/));
  return rows.filter(
    ([, , to = '', state, , , , , , inode = '']) => to.endsWith(remote) && state === ESTABLISHED && own.has(inode),
  ).length;
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // closed since
  }
}

/** Value of a metric without labels; 0 if there is none. */
export async function metric(operator: Pick<RunningOperator, 'health'>, name: string): Promise<number> {
  const { body } = await operator.health('/metrics');
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(body)?.[1] ?? 0);
}

// prom-client's histogram of the event loop's delay looks every 10 ms, and counts these as delay too.
const PRECISION_MS = 10;
const EVERY_MS = 200;

/** Watches an operator from now until stop(): the most connections, and the longest block of its event loop. */
export class Watcher {
  mostConnections = 0;
  longestBlockMs = 0;
  /** Before this watcher looked for the first time: of an operator that has just become ready, while it started. */
  blockBeforeMs = 0;
  readonly #operator: RunningOperator;
  readonly #port: number;
  #isGoing = true;
  readonly #done: Promise<void>;

  constructor(operator: RunningOperator, server: string) {
    this.#operator = operator;
    this.#port = Number(new URL(server).port);
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#isGoing = false;
    await this.#done;
    await this.#look();
  }

  async #run(): Promise<void> {
    await this.#look();
    [this.blockBeforeMs, this.longestBlockMs] = [this.longestBlockMs, 0];
    while (this.#isGoing) {
      await this.#look();
      await sleep(EVERY_MS);
    }
  }

  /** The metric is the maximum since the last scrape. */
  async #look(): Promise<void> {
    this.mostConnections = Math.max(this.mostConnections, connectionsTo(this.#operator.pid, this.#port));
    const blockMs = (await metric(this.#operator, 'nodejs_eventloop_lag_max_seconds')) * 1000 - PRECISION_MS;
    this.longestBlockMs = Math.max(this.longestBlockMs, blockMs);
  }
}
