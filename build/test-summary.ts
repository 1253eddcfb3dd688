/** What `make test` says when all suites have ended: how long each took, and what took longest. */

/** A test file, or a Go package, with the time that its tests and hooks took. */
export interface TimedFile {
  readonly file: string;
  readonly ms: number;
}

export interface SuiteSummary {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** From the beginning of the suite to its end, which may have run beside another. */
  readonly seconds: number;
  readonly files: readonly TimedFile[];
}

const SLOWEST = 10;
// A fast run has no use for a list of what took milliseconds.
const WORTH_NAMING_MS = 1_000;

/** Returns a table of the suites and the slowest files of all of them, line by line. */
export function summaryOf(suites: readonly SuiteSummary[]): readonly string[] {
  const cells = suites.map(({ name, passed, failed, skipped, seconds }) => [
    name,
    ...[passed, failed, skipped].map(String),
    `${Math.round(seconds)} s`,
  ]);
  const slowest = suites
    .flatMap(({ files }) => files)
    .filter(({ ms }) => ms >= WORTH_NAMING_MS)
    .sort((one, other) => other.ms - one.ms)
    .slice(0, SLOWEST)
    .map(({ file, ms }) => [`${(ms / 1000).toFixed(1)} s`, file]);
  return [
    ...aligned([['suite', 'passed', 'failed', 'skipped', 'time'], ...cells]),
    ...(slowest.length === 0 ? [] : ['', 'The slowest files, with what they start before their tests:']),
    ...slowest.map(([time = '', file = '']) => `  ${time.padStart(8)}  ${file}`),
  ];
}

/** The first column to the left, numbers to the right. */
function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) => {
    const padded = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    return `  ${padded.join('  ')}`.trimEnd();
  });
}
