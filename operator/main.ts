/**
 * The process: reads the settings, creates the operator (composition/), and runs it until it gets a signal to stop. With the
 * name of a command it does that instead.
 */
import { setFlagsFromString } from 'node:v8';

import { nearestOf } from '../core/edit-distance.ts';
import { shownText } from '../core/shown.ts';
import { systemClock } from '../kube/clock.ts';
import { KubeConfigError } from '../kube/kube-config.ts';
import type { Logger } from '../kube/log.ts';
import { run } from '../kube/run.ts';
import { compose } from './composition/compose.ts';
import { createContext } from './composition/context.ts';
import { createLogger } from './composition/logger.ts';
import { createTracing } from './composition/tracing.ts';
import { readSettings, SettingsError, settingsHelp } from './settings.ts';
import { VERSION } from './version.ts';

// Hardly anything survives in a small young generation, so there is nothing to share among threads; waiting for threads
// on busy processors cost up to half of the reviews per second. NODE_OPTIONS does not accept this flag.
const GARBAGE_COLLECTION = '--no-parallel-scavenge';

// The exit status for wrong usage in shells and in Go's flag package; sysexits(3) has another.
const MISUSED = 2;

/** What the executable does instead of being the operator: each resolves with the exit status. */
const COMMANDS: Readonly<Record<string, () => Promise<{ run(argv: readonly string[]): Promise<number> }>>> = {
  check: () => import('./check/command.ts'),
  uninstall: () => import('./composition/uninstall.ts'),
};

const MOST_LINES = 50;
const LONGEST_LINE = 1_000;

async function main(argv: readonly string[]): Promise<void> {
  const [command = ''] = argv;
  if (command !== '' && !command.startsWith('-')) {
    process.exitCode = await (await commandNamed(command)).run(argv.slice(1));
    return;
  }
  if (argv.includes('--version')) {
    process.stdout.write(`${VERSION}\n`);
    return;
  }
  const settings = readSettings(argv, process.env);
  if (settings === 'help') {
    process.stdout.write(settingsHelp());
    return;
  }
  setFlagsFromString(GARBAGE_COLLECTION);
  const logger = createLogger(settings);
  dieOn('uncaughtException', logger);
  dieOn('unhandledRejection', logger);
  const clock = systemClock;
  const tracing = await createTracing(process.env, { clock, logger });
  const group = compose(createContext(settings, { clock, random: Math.random, logger }, tracing));
  await run(group, { process, clock, logger });
}

function commandNamed(name: string): ReturnType<NonNullable<(typeof COMMANDS)[string]>> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command !== undefined) return command();
  const known = Object.keys(COMMANDS);
  const nearest = nearestOf(name, known);
  const instead = nearest === undefined ? `there is: ${known.join(', ')}` : `did you mean ${nearest}?`;
  throw new SettingsError(`there is no command ${JSON.stringify(name)}; ${instead}`);
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
  await main(process.argv.slice(2));
} catch (error) {
  const known = error instanceof SettingsError || error instanceof KubeConfigError;
  const { code, message } = error as NodeJS.ErrnoException;
  if (!known && code === undefined) throw error;
  // lines of ours, with what files and variables hold
  const lines = message.split('\n', MOST_LINES).map((line) => shownText(line, LONGEST_LINE));
  process.stderr.write(`${lines.join('\n')}\n`);
  process.exitCode = known ? MISUSED : 1;
}
