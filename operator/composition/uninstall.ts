/** The command `uninstall`: what the chart's hook runs before the installation is removed, and people run by hand. */
import { kindsWith } from '../../core/added-kinds.ts';
import { parseDuration } from '../../core/duration.ts';
import { mark } from '../../core/marks.ts';
import { shownText } from '../../core/shown.ts';
import { systemClock } from '../../kube/clock.ts';
import type { Clock } from '../../kube/clock.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import { SECRET_NAME } from '../../webhook/certificates/secret.ts';
import { findConfiguration } from '../../webhook/configuration/find.ts';
import { announce, removeConfiguration } from '../../webhook/configuration/removal.ts';
import type { RemovalOptions } from '../../webhook/configuration/removal.ts';
import { Owner } from '../../webhook/configuration/owner.ts';
import { takeFlags } from '../command-flags.ts';
import { readSettings, SettingsError } from '../settings.ts';
import type { Settings } from '../settings.ts';
import { NO_TURN, restoreAll } from '../workloads/restoration.ts';
import type { Left } from '../workloads/restoration.ts';
import { createContext } from './context.ts';
import { hintOf } from './hints.ts';
import { createLogger } from './logger.ts';

const REQUEST_TIMEOUT_MS = 5_000;
const RESTORE_TIMEOUT_MS = 30_000;
// helm waits 5 minutes for a hook: enough for 1,500 workloads.
const RATE = 5;
const FLAGS = {
  restore: { type: 'boolean' },
  rate: { type: 'string' },
  'restore-timeout': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;
const MOST_LEFT = 20;
const LONGEST_LINE = 1_000;

const HELP = `Usage: vault-injection-operator uninstall [--restore [--rate N] [--restore-timeout T]] [--SETTING VALUE ...]

Removes the MutatingWebhookConfiguration, so that no admission waits for a webhook that is gone, and sees to it that
replicas that still run do not write it again. It takes at most a minute, may be run again, and is content if there is
nothing to remove. Remove the rest of the installation afterwards (docs/guides/uninstall.md).

  --restore
      first have admission give all injected workloads their templates back, which replaces their pods. The operator has
      to run. Prints progress; if workloads are left, they are named, nothing is removed, and the exit status is 1
  --rate
      workloads to restore in a second, 1 to 100
      default: ${RATE}
  --restore-timeout
      how long workloads are restored, such as 10m. What is left then is named, nothing is removed, and the exit status is 1:
      run it again, and it goes on. So it does after SIGTERM and SIGINT
      default: as long as it takes
  -h, --help
      this text

All settings of the operator count: give it the same flags, variables and file. vault-injection-operator --help lists them.
`;

interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: { write(text: string): unknown };
  /** For the signals after which --restore says what is left; left out: there are none. */
  once?(signal: NodeJS.Signals, listener: () => void): unknown;
}

/** Runs the command; resolves with the exit status. Throws SettingsError for flags that cannot be used. */
export async function run(argv: readonly string[], host: Host = process): Promise<number> {
  const { env, stdout } = host;
  const { isHelp, restore, rate, restoreWithinMs, rest } = readFlags(argv);
  const settings = isHelp ? 'help' : readSettings(rest, env);
  if (settings === 'help') {
    stdout.write(HELP);
    return 0;
  }
  const logger = createLogger({ logLevel: 'error', logFormat: settings.logFormat });
  const context = createContext(settings, { clock: systemClock, random: Math.random, logger });
  const say = (line: string): void => void stdout.write(`${shownText(line, LONGEST_LINE)}\n`);
  const client = context.clientWithin(REQUEST_TIMEOUT_MS);
  try {
    const owner = new Owner({ client, clock: systemClock, logger, name: settings.clusterRole });
    return await uninstall({
      client,
      patient: context.clientWithin(RESTORE_TIMEOUT_MS),
      clock: systemClock,
      owner,
      settings,
      restore,
      rate,
      restoreWithinMs,
      ...(restore ? { signal: signalsOf(host) } : {}),
      say,
    });
  } finally {
    await context.kubeConfig.close();
  }
}

export interface UninstallOptions extends Pick<RemovalOptions, 'owner' | 'say'> {
  readonly client: ObjectClient;
  /** For what takes longer: lists of all workloads, and patches that admission reviews. */
  readonly patient: ObjectClient;
  readonly clock: Clock;
  readonly settings: Pick<Settings, 'namespace' | 'webhookConfiguration'> & Partial<Pick<Settings, 'templates'>>;
  readonly restore: boolean;
  /** Workloads in a second. */
  readonly rate: number;
  /** How long workloads are restored, in milliseconds; left out: as long as it takes. */
  readonly restoreWithinMs?: number | undefined;
  /** When it aborts, no other workload is restored. */
  readonly signal?: AbortSignal;
}

/**
 * Aborts with the first SIGTERM or SIGINT; a second one ends the process. The first process of a container would not get
 * them otherwise, and be killed later without a word.
 */
function signalsOf(host: Host): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) host.once?.(signal, () => stop.abort());
  return stop.signal;
}

/** Resolves with the exit status. */
export async function uninstall(options: UninstallOptions): Promise<number> {
  const { settings, say } = options;
  try {
    return await steps({ ...options, installation: settings.namespace });
  } catch (error) {
    const texts = [error instanceof Error ? error.message : typeof error, hintOf(error, settings)];
    if (options.restore) texts.push('run it again, and it goes on with what is left');
    say(`failed: ${texts.filter((text) => text !== undefined).join('; ')}`);
    return 1;
  }
}

async function steps(options: UninstallOptions & RemovalOptions): Promise<number> {
  const { client, settings, restore, say } = options;
  if (settings.webhookConfiguration === 'External') {
    if ((await findConfiguration(client)) === undefined) return 0;
    say(
      'the webhook configuration belongs to the installer (--webhook-configuration External), who removes it: ' +
        'kubectl delete mutatingwebhookconfiguration vault-injection-operator',
    );
    if (!restore) return 0;
    say('--restore is for installations that keep the webhook configuration themselves: nothing was restored');
    return 1;
  }
  if (restore) {
    await announce(options, 'Restore');
    const withinMs = options.restoreWithinMs;
    const kinds = kindsWith(settings.templates ?? []);
    const left = await restoreAll({ ...options, kinds, client: options.patient, withinMs });
    if (left.length > 0) {
      sayWhatIsLeft(left, say);
      if ((await findConfiguration(client)) === undefined) say(notCalled(settings.namespace));
      return 1;
    }
  }
  await announce(options, 'Remove');
  await removeConfiguration(options);
  return 0;
}

/** What to do where an `uninstall` without --restore came first. */
function notCalled(namespace: string): string {
  return (
    'admission cannot restore without the MutatingWebhookConfiguration, which has been removed before. The operator writes it ' +
    `again after: kubectl annotate secret ${SECRET_NAME} -n ${namespace} ${mark.uninstalling}-`
  );
}

function sayWhatIsLeft(left: readonly Left[], say: (line: string) => void): void {
  for (const { workload, why } of left.slice(0, MOST_LEFT)) say(`left: ${workload}: ${why}`);
  if (left.length > MOST_LEFT) say(`left: ${left.length - MOST_LEFT} more`);
  const isCutShort = left.some(({ why }) => why === NO_TURN);
  const again = isCutShort ? 'run it again, and it goes on with these' : 'run it again when the cause is fixed';
  say(
    `nothing was removed: ${again}, or without --restore to leave workloads as they are. Nothing is injected meanwhile`,
  );
}

function readFlags(argv: readonly string[]): {
  readonly isHelp: boolean;
  readonly restore: boolean;
  readonly rate: number;
  readonly restoreWithinMs: number | undefined;
  readonly rest: readonly string[];
} {
  const { values, rest } = takeFlags(argv, FLAGS);
  const { rate: text = String(RATE) } = values;
  const rate = Number(text);
  if (!Number.isInteger(rate) || rate < 1 || rate > 100)
    throw new SettingsError(`--rate: ${JSON.stringify(text)} is not allowed; write a whole number, 1 to 100`);
  const timeout = values['restore-timeout'];
  const restoreWithinMs = typeof timeout === 'string' ? parseDuration(timeout) : undefined;
  if (timeout !== undefined && restoreWithinMs === undefined)
    throw new SettingsError(
      `--restore-timeout: ${JSON.stringify(timeout)} is not allowed; write a duration such as 10m`,
    );
  return { isHelp: values.help === true, restore: values.restore === true, rate, restoreWithinMs, rest };
}
