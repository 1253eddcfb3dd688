/**
 * The versions of Kubernetes that the operator works with, and what it does without on the older of them. The chart, the OLM
 * bundle and the documentation say the same: make generate, and test/unit/docs/versions.test.ts.
 */

/**
 * The oldest minor version of Kubernetes 1: the first with matchConditions of webhooks and ValidatingAdmissionPolicies in a
 * stable API. An older API server drops the former from the webhook configuration, and does not know the latter.
 */
export const OLDEST_MINOR = 30;

/** The newest one that the tests run on. */
export const NEWEST_TESTED_MINOR = 37;

/** What to say where the API server is too old. */
export const USE_A_NEWER_ONE = `use Kubernetes 1.${OLDEST_MINOR} or newer`;

/** What an older API server lacks. */
export interface Lacking {
  /** The first minor version of Kubernetes 1 that has it. */
  readonly since: number;
  /** What does not work, or what happens instead, in one line. */
  readonly message: string;
}

// The features are on by default since then. A cluster may have turned one on before; nothing tells the operator so.
export const LACKING = {
  selectableFields: {
    since: 31,
    message: 'policies cannot be selected by --field-selector spec.vault.auth.role=ROLE',
  },
  // before, API servers compare no status with what was stored (statusStrategy of apiextensions-apiserver)
  statusRatcheting: {
    since: 33,
    message: 'the status stays as it is of a stored policy that a newer CRD would refuse',
  },
  imageVolumes: {
    since: 35,
    message: 'policies with delivery ImageVolume get an init container instead',
  },
  mutatingAdmissionPolicies: {
    since: 36,
    message: 'config/marks cannot be installed, so config/guard lets a stolen token write what injection writes',
  },
} as const satisfies Readonly<Record<string, Lacking>>;

/** Returns the minor version of Kubernetes 1 in a version such as v1.31.5-gke.100; undefined for another text. */
export function minorOf(version: string): number | undefined {
  const [, minor] = /^v?1\.(\d{1,4})(?:[.+-]|$)/.exec(version) ?? [];
  return minor === undefined ? undefined : Number(minor);
}

/** Whether the operator needs a newer API server than one of this version. A version that cannot be read is not too old. */
export function isTooOld(version: string): boolean {
  const minor = minorOf(version);
  return minor !== undefined && minor < OLDEST_MINOR;
}

/** Returns what an API server of this version lacks, by age; nothing for a version that cannot be read. */
export function lackingIn(version: string): readonly Lacking[] {
  const minor = minorOf(version);
  return minor === undefined ? [] : Object.values(LACKING).filter(({ since }) => minor < since);
}

/** Returns one line for each thing that an API server of this version lacks. */
export function lackingLines(version: string): readonly string[] {
  return lackingIn(version).map(({ since, message }) => `before Kubernetes 1.${since}, ${message}`);
}
