/** What a running operator takes: memory, connections, and how long its event loop was blocked. */
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

import type { RunningOperator } from '../support/operator.ts';
import type { Block } from './loop-probe.ts';

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

const EVERY_MS = 200;

/** Where loop-probe.ts notes the blocks of one operator after the other. */
export class BlockLog {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    writeFileSync(path, '');
  }

  get nodeFlags(): readonly string[] {
    const probe = pathToFileURL(join(import.meta.dirname, 'loop-probe.ts'));
    probe.searchParams.set('file', this.#path);
    return ['--import', probe.href];
  }

  /** The longest block, and the most that one took on a core, between two times in milliseconds since the epoch. */
  between(from: number, to: number): Blocked {
    const lines = readFileSync(this.#path, 'utf8').trim().split('\n');
    const all = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Block);
    const blocks = all.filter(({ at }) => at > from && at <= to);
    const most = (of: (block: Block) => number): number => blocks.reduce((max, block) => Math.max(max, of(block)), 0);
    return { wallMs: most(({ wallMs }) => wallMs), cpuMs: most(({ cpuMs }) => cpuMs) };
  }
}

export type Blocked = Pick<Block, 'wallMs' | 'cpuMs'>;

/** Watches the connections of an operator from now until stop(). */
export class Watcher {
  mostConnections = 0;
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
    this.#look();
  }

  async #run(): Promise<void> {
    while (this.#isGoing) {
      this.#look();
      await sleep(EVERY_MS);
    }
  }

  #look(): void {
    this.mostConnections = Math.max(this.mostConnections, connectionsTo(this.#operator.pid, this.#port));
  }
}
