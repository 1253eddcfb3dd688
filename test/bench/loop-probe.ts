/**
 * Preloaded into an operator that is measured (`node --import 'file:…/loop-probe.ts?file=PATH'`): appends a line of JSON
 * to PATH for each block of its event loop. How long the loop was blocked says little on cores that the process shares
 * with an API server, so it also says for how long the process's main thread ran on a core meanwhile.
 */
import { appendFileSync } from 'node:fs';

export interface Block {
  /** Milliseconds since the epoch, at its end. */
  readonly at: number;
  /** Milliseconds between two turns of a timer, without the time that it waits itself. */
  readonly wallMs: number;
  /** Milliseconds of the main thread on a core, with at most EVERY_MS before the block. */
  readonly cpuMs: number;
}

const EVERY_MS = 10;
const NOTED_MS = 20;

const file = new URL(import.meta.url).searchParams.get('file');
if (file !== null) watch(file);

function watch(path: string): void {
  let last = performance.now();
  let lastCpu = cpuMs();
  setInterval(() => {
    const now = performance.now();
    const cpu = cpuMs();
    const block: Block = { at: Date.now(), wallMs: now - last - EVERY_MS, cpuMs: cpu - lastCpu };
    if (block.wallMs >= NOTED_MS) appendFileSync(path, `${JSON.stringify(block)}\n`);
    [last, lastCpu] = [now, cpu];
  }, EVERY_MS).unref();
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
