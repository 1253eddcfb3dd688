/** Values with their units, in the words that Grafana uses for them. */

type Format = (value: number) => string;

/** Returns the value in a unit of Grafana, such as `1.50 KiB`; throws for a unit that it does not know. */
export function inUnit(value: number, unit: string): string {
  const format = FORMATS[unit];
  if (format === undefined) {
    throw new Error(`the unit "${unit}" cannot be drawn: add it to FORMATS in test/dashboard/units.ts`);
  }
  return format(value);
}

/** Returns the step of a unit in which an axis up to `most` is labelled: KiB, minutes; 1 where there is none. */
export function stepOf(most: number, unit: string): number {
  const steps = STEPS[unit] ?? [];
  return steps.map(([least]) => least).find((least) => most >= 1.5 * least) ?? 1;
}

type Steps = readonly (readonly [from: number, suffix: string])[];

const STEPS: Readonly<Record<string, Steps | undefined>> = {
  s: [
    [86_400, ' day'],
    [3_600, ' hour'],
    [60, ' min'],
    [1, ' s'],
    [1e-3, ' ms'],
    [1e-6, ' µs'],
  ],
  bytes: [
    [2 ** 30, ' GiB'],
    [2 ** 20, ' MiB'],
    [2 ** 10, ' KiB'],
    [1, ' B'],
  ],
  short: [
    [1e9, ' Bil'],
    [1e6, ' Mil'],
    [1e3, ' K'],
    [1, ''],
  ],
};

/** Three digits, without zeros that say nothing. */
const digits = (value: number): string => String(Number(value.toPrecision(3)));

/** In the largest step that the value reaches, or the smallest. */
function stepwise(unit: keyof typeof STEPS): Format {
  const steps = STEPS[unit] ?? [];
  const [one, suffixOfOne] = steps.find(([from]) => from === 1) ?? [1, ''];
  return (value) => {
    // what rounds up to a step is shown in it
    const [from, suffix] = steps.find(([least]) => Math.abs(value) >= least * 0.9995) ?? steps.at(-1) ?? [one, ''];
    return value === 0 ? `0${suffixOfOne}` : `${digits(value / from)}${suffix}`;
  };
}

/** Whole units of the largest kind alone: enough to know whether to get up. */
const DURATIONS: readonly (readonly [seconds: number, word: string])[] = [
  [31_536_000, 'year'],
  [2_628_000, 'month'],
  [604_800, 'week'],
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
];

function duration(value: number): string {
  const [seconds, word] = DURATIONS.find(([least]) => Math.abs(value) >= least) ?? [1, 'second'];
  const count = Math.floor(Math.abs(value) / seconds);
  return `${value < 0 ? '-' : ''}${count} ${word}${count === 1 ? '' : 's'}`;
}

const FORMATS: Readonly<Record<string, Format | undefined>> = {
  short: (value) => (Math.abs(value) < 1 ? digits(value) : stepwise('short')(value)),
  reqps: (value) => `${digits(value)} req/s`,
  s: stepwise('s'),
  bytes: stepwise('bytes'),
  percentunit: (value) => `${digits(value * 100)}%`,
  dtdurations: duration,
};
