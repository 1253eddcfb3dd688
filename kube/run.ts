import type { Clock } from './clock.ts';
import { atMost } from './clock.ts';
import type { Group } from './group.ts';
import type { Logger } from './log.ts';

/** What run() needs from Node's `process`. */
export interface HostProcess {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  exit(status: number): never;
  readonly stderr: { write(text: string): unknown };
}

export interface RunOptions {
  readonly process: HostProcess;
  readonly clock: Clock;
  readonly logger: Logger;
}

// If a process cannot work, its user should see why at once and its supervisor should restart it; what already runs has
// little to finish. Including the exit it takes less than two seconds.
const STOP_AFTER_FAILURE_MS = 1_500;

/**
 * Runs a group until SIGTERM or SIGINT, then stops it; the process then ends by itself, with status 0. A second signal
 * ends it at once, with status 1. If a part cannot be started, the reason is written to stderr, what runs is stopped,
 * and the process ends with status 1 within two seconds. Resolves when all parts have started.
 */
export async function run(group: Group, { process, clock, logger }: RunOptions): Promise<void> {
  const state = { stopping: false };
  // before anything starts: a process that gets a signal while starting must not be killed in the middle of a write
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // pressing Ctrl-C twice means not to wait for the drain
      if (state.stopping) process.exit(1);
      state.stopping = true;
      logger.info({ signal }, 'stopping');
      void group.stop().then(() => logger.info('stopped'));
    });
  }
  try {
    await group.start();
  } catch (error) {
    if (state.stopping) return;
    state.stopping = true;
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    await atMost(clock, STOP_AFTER_FAILURE_MS, group.stop());
    process.exit(1);
  }
}
