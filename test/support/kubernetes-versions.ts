/** The API servers that the tests run against: the pinned one, or an older one that `make test-versions` builds. */
import { join } from 'node:path';

import type { ToolName } from '../../build/tools/table.ts';
import { LACKING, OLDEST_MINOR } from '../../core/kubernetes-versions.ts';

/** Minor versions of Kubernetes 1 older than the pinned one that have tools of their own. The first is the oldest supported. */
export const OLDER_MINORS = [OLDEST_MINOR, 31, 34] as const;

export type OlderMinor = (typeof OLDER_MINORS)[number];

/** The environment variable that chooses an older API server, such as KUBERNETES_VERSION=1.30. */
export const CHOICE = 'KUBERNETES_VERSION';

/** Returns undefined for the pinned version. Throws for a version that there are no tools of. */
export function chosenMinor(env: NodeJS.ProcessEnv = process.env): OlderMinor | undefined {
  const text = env[CHOICE] ?? '';
  return text === '' ? undefined : minorNamed(CHOICE, text);
}

/** Returns the minor version in a text such as 1.30 of the variable `name`. Throws for one that there are no tools of. */
export function minorNamed(name: string, text: string): OlderMinor {
  const minor = OLDER_MINORS.find((one) => text === `1.${one}`);
  if (minor !== undefined) return minor;
  throw new Error(`${name}: ${JSON.stringify(text)} is none of ${OLDER_MINORS.map((one) => `1.${one}`).join(', ')}`);
}

/** Returns the tool of a program of the control plane, in the chosen version if it depends on that. */
export function toolOf(program: ToolName, minor = chosenMinor()): ToolName {
  if (minor === undefined) return program;
  if (program === 'kube-apiserver' || program === 'kube-controller-manager') return `${program}-1.${minor}`;
  // a scheduler must not be newer than its API server
  if (program === 'kube-scheduler') throw new Error(`there is no scheduler of Kubernetes 1.${minor} for the tests`);
  return program;
}

/** Whether the API server that was chosen has it. */
export function has(feature: keyof typeof LACKING, minor = chosenMinor()): boolean {
  return minor === undefined || minor >= LACKING[feature].since;
}

/** In a hook or a test that is a `function`: skips it where the chosen API server lacks this, and says so in its title. */
export function needs(context: Mocha.Context, feature: keyof typeof LACKING): void {
  if (has(feature)) return;
  const { since, message } = LACKING[feature];
  const test = context.currentTest ?? context.test;
  if (test !== undefined) test.title += ` (before Kubernetes 1.${since}, ${message})`;
  context.skip();
}

/** Returns the folder with everything that `kubectl apply -k` installs on the chosen API server. */
export function defaultConfig(minor = chosenMinor()): string {
  const folder = has('mutatingAdmissionPolicies', minor) ? 'default' : 'before-1.36';
  return join(import.meta.dirname, '../../config', folder);
}

/**
 * Returns the lines that `kubectl diff` would change. An API server that drops a field of the CRD counts a new generation each time
 * that it is applied: that is none.
 */
export function changesIn(diff: string): readonly string[] {
  const lines = diff.split('\n').filter((line) => /^[+-](?!--|\+\+)/.test(line));
  return has('selectableFields') ? lines : lines.filter((line) => !/^[+-] {2}generation: \d+$/.test(line));
}

/** The levels of `check` about the API server: that it answers, and each thing that an older one lacks. */
export function levelsOfApi(minor = chosenMinor()): string {
  const lacking = Object.values(LACKING).filter(({ since }) => minor !== undefined && minor < since);
  return ['Ok', ...lacking.map(() => 'Ok')].join(' ');
}
