/** How often what happens in a soak. */

/** Milliseconds, from and to. */
export type Range = readonly [from: number, to: number];

/** How often what happens, from the end of the time before. */
export interface Pace {
  readonly apiServerEvery: Range;
  /** How long the API server is away. */
  readonly apiServerPause: Range;
  readonly cutEvery: Range;
  /** How long the leader is cut off from the API server, which is longer than its lease; now and then in place of a cut. */
  readonly isolation: Range;
  readonly renewEvery: Range;
  readonly restartEvery: Range;
  /** Between two changes in one namespace, at most. */
  readonly changeMs: number;
  readonly sampleMs: number;
  /** Value of --certificate-wait. */
  readonly certificateWait: string;
  /** After the last change: how long until everything has to be right. */
  readonly quietMs: number;
}

export const MINUTE = 60_000;

/** Of an hour or so. */
export const LONG: Pace = {
  apiServerEvery: [2 * MINUTE, 5 * MINUTE],
  apiServerPause: [5_000, 40_000],
  cutEvery: [20_000, 90_000],
  isolation: [18_000, 25_000],
  renewEvery: [5 * MINUTE, 9 * MINUTE],
  restartEvery: [9 * MINUTE, 11 * MINUTE],
  changeMs: 2_000,
  sampleMs: 10_000,
  certificateWait: '10s',
  quietMs: MINUTE,
};

/** Of half a minute. */
export const SHORT: Pace = {
  apiServerEvery: [8_000, 8_000],
  apiServerPause: [2_000, 3_000],
  cutEvery: [4_000, 6_000],
  isolation: [1_000, 2_000],
  renewEvery: [3_000, 3_000],
  restartEvery: [15_000, 15_000],
  changeMs: 400,
  sampleMs: 1_000,
  certificateWait: '1s',
  quietMs: MINUTE,
};

export interface SoakOptions {
  readonly minutes: number;
  readonly replicas: number;
  /** Half of them with failurePolicy Fail. */
  readonly namespaces: number;
  readonly seed: number;
  readonly pace: Pace;
  /** The folder in which `make build` made the bundle; undefined: the operator runs from its sources. */
  readonly dist?: string | undefined;
  /** Writes a line for people. */
  readonly tell: (line: string) => unknown;
}
