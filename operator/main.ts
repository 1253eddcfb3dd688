/** The process: reads the settings, creates the operator (composition/), and runs it until it gets a signal to stop. */
import { setFlagsFromString } from 'node:v8';

import { shownText } from '../core/shown.ts';
import { systemClock } from '../kube/clock.ts';
import { KubeConfigError } from '../kube/kube-config.ts';
import type { Logger } from '../kube/log.ts';
import { run } from '../kube/run.ts';
import { compose } from './composition/compose.ts';
import { createContext } from './composition/context.ts';
import { createLogger } from './composition/logger.ts';
import { uninstallCommand } from './composition/uninstall.ts';
import { readSettings, SettingsError, settingsHelp } from './settings.ts';

// Hardly anything survives in a small young generation, so there is nothing to share among threads; waiting for threads
// on busy processors cost up to half of the reviews per second. NODE_OPTIONS does not accept this flag.
const GARBAGE_COLLECTION = '--no-parallel-scavenge';

// The exit status for wrong usage in shells and in Go's flag package; sysexits(3) has another.
const MISUSED = 2;

const MOST_LINES = 50;
const LONGEST_LINE = 1_000;

async function main(): Promise<void> {
  if (process.argv[2] === 'uninstall') {
    process.exitCode = await uninstallCommand(process.argv.slice(3), process);
    return;
  }
  const settings = readSettings(process.argv.slice(2), process.env);
  if (settings === 'help') {
    process.stdout.write(settingsHelp());
    return;
  }
  setFlagsFromString(GARBAGE_COLLECTION);
  const logger = createLogger(settings.logLevel);
  dieOn('uncaughtException', logger);
  dieOn('unhandledRejection', logger);
  if (settings.injectorImage === '') logger.warn('no --injector-image: each policy has to set spec.injector.image');
  const clock = systemClock;
  const group = compose(createContext(settings, { clock, random: Math.random, logger }));
  await run(group, { process, clock, logger });
}

/**
 * Ends the process on an uncaught error, because its state is no longer reliable. It logs the error's kind and place,
 * not its message, which may quote a manifest.
 */
function dieOn(event: 'uncaughtException' | 'unhandledRejection', logger: Logger): void {
  process.on(event, (error: unknown) => {
    const at = error instanceof Error ? error.stack?.split('\n').filter((line) => line.startsWith('    at ')) : [];
    logger.error(
      { event, error: error instanceof Error ? error.name : typeof error, at },
      'exiting because of an internal error',
    );
    process.exit(1);
  });
}

try {
  await main();
} catch (error) {
  const known = error instanceof SettingsError || error instanceof KubeConfigError;
  const { code, message } = error as NodeJS.ErrnoException;
  if (!known && code === undefined) throw error;
  // lines of ours, with what files and variables hold
  const lines = message.split('\n', MOST_LINES).map((line) => shownText(line, LONGEST_LINE));
  process.stderr.write(`${lines.join('\n')}\n`);
  process.exitCode = known ? MISUSED : 1;
}
