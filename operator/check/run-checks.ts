import type { Clock } from '../../kube/clock.ts';
import { atMost } from '../../kube/clock.ts';
import { ApiError } from '../../kube/object-client.ts';
import { failed, isWell } from './report.ts';
import type { Finding, ReportLine } from './report.ts';

/** One thing to look at. */
export interface Check {
  readonly name: string;
  /** Checks without which this one says nothing: where one of them has failed, it is left out. */
  readonly needs?: readonly string[];
  /** Resolves with what there is to say. Rejects with ApiError if the API server refuses it or does not answer. */
  readonly run: () => Promise<readonly Finding[]>;
}

export interface RunOptions {
  readonly clock: Clock;
  /** For each check. */
  readonly timeoutMs: number;
  /** Returns what to do about an error of the API server. */
  readonly hintOf: (error: unknown) => string | undefined;
  readonly onBegin: (check: string) => void;
  readonly onLine: (line: ReportLine) => void;
}

/** Runs the checks one after the other, and never longer than their times in sum. Resolves with all lines. */
export async function runChecks(
  checks: readonly Check[],
  { clock, timeoutMs, hintOf, onBegin, onLine }: RunOptions,
): Promise<readonly ReportLine[]> {
  const lines: ReportLine[] = [];
  const bad = new Set<string>();
  for (const { name, needs = [], run } of checks) {
    onBegin(name);
    const missing = needs.find((need) => bad.has(need));
    const findings =
      missing === undefined
        ? await atMost(clock, timeoutMs, findingsOf(run, hintOf))
        : [{ level: 'Skipped', message: `not looked at, because ${missing} has failed` } as const];
    const told = findings ?? [failed(`no result within ${timeoutMs / 1000} s`)];
    if (missing !== undefined || !isWell(told)) bad.add(name);
    for (const finding of told) {
      const line = { check: name, ...finding };
      lines.push(line);
      onLine(line);
    }
  }
  return lines;
}

async function findingsOf(run: Check['run'], hintOf: RunOptions['hintOf']): Promise<readonly Finding[]> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return [failed(error.message, hintOf(error))];
  }
}
