/** What `check` finds, and how it says that. Pure. */
import { shownText } from '../../core/shown.ts';

/**
 * - Ok: as it should be
 * - Warning: it may be on purpose, or could not be looked at
 * - Failed: something does not work, or will not
 * - Skipped: not looked at, because another check has failed
 */
export type Level = 'Ok' | 'Warning' | 'Failed' | 'Skipped';

/** One line of a check. Nothing of a Secret is in it. */
export interface Finding {
  readonly level: Level;
  readonly message: string;
  /** What to do. */
  readonly hint?: string;
}

export interface ReportLine extends Finding {
  /** The short name of the check, which does not change between versions. */
  readonly check: string;
}

const SIGNS: Readonly<Record<Level, string>> = { Ok: '√', Warning: '‼', Failed: '×', Skipped: '-' };

const LONGEST_TEXT = 1_000;

export function ok(message: string): Finding {
  return { level: 'Ok', message };
}

export function warning(message: string, hint?: string): Finding {
  return { level: 'Warning', message, ...(hint !== undefined && { hint }) };
}

export function failed(message: string, hint?: string): Finding {
  return { level: 'Failed', message, ...(hint !== undefined && { hint }) };
}

/** Returns a number with the word for what is counted. */
export function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Returns a line for people, with its hint below it. */
export function lineText({ check, level, message, hint }: ReportLine): string {
  const line = `${SIGNS[level]} ${check}: ${shownText(message, LONGEST_TEXT)}\n`;
  return hint === undefined ? line : `${line}    hint: ${shownText(hint, LONGEST_TEXT)}\n`;
}

/** Whether nothing has failed. */
export function isWell(lines: readonly Finding[]): boolean {
  return lines.every(({ level }) => level !== 'Failed');
}

/** Returns the last line for people: how many of which kind there are. */
export function summaryText(lines: readonly Finding[]): string {
  const count = (level: Level): number => lines.filter((line) => line.level === level).length;
  const counts = [
    [count('Failed'), 'failed'],
    [count('Warning'), count('Warning') === 1 ? 'warning' : 'warnings'],
    [count('Skipped'), 'skipped'],
  ] as const;
  const told = counts.filter(([number]) => number > 0).map(([number, word]) => `${number} ${word}`);
  return `\nStatus: ${isWell(lines) ? SIGNS.Ok : SIGNS.Failed} ${told.length === 0 ? 'all is well' : told.join(', ')}\n`;
}

/** Returns all of it for programs. */
export function reportJson(version: string, lines: readonly ReportLine[]): string {
  const shown = lines.map(({ check, level, message, hint }) => ({
    check,
    level,
    message: shownText(message, LONGEST_TEXT),
    ...(hint !== undefined && { hint: shownText(hint, LONGEST_TEXT) }),
  }));
  return `${JSON.stringify({ version, ok: isWell(lines), checks: shown }, undefined, 2)}\n`;
}
