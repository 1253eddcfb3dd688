/**
 * Whether the pods of a workload may get a token that the API server accepts. A policy whose audience is the API
 * server's would give one to pods that opted out of it (automountServiceAccountToken: false), and so undo what their
 * author or platform decided. Pure.
 */
import { asList, asObject } from '../json.ts';
import type { RawObject } from '../json.ts';
import type { Rule } from '../policy/rule.ts';
import type { Hold } from './hold.ts';
import type { Denial, Skipped } from './outcome.ts';
import { mountsOf, nameOf, serviceAccountOf } from './pod.ts';
import type { Selected, Selection } from './selection.ts';
import { OPT_OUT } from './sources.ts';
import type { KnownSources, SourceNeeds, SourceRef } from './sources.ts';

// Where the API server's admission mounts the token, unless the container mounts something there itself.
const TOKEN_MOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Empty if the pods may have the token, or get none. */
export interface TokenVerdict {
  /** Why they may not, as a part of a sentence. */
  readonly unwanted?: string;
  /** The ServiceAccount that decides, and has not been looked up. */
  readonly asks?: SourceRef;
  /** For the author of the workload: what could not be found out. */
  readonly note?: string;
}

/**
 * Decides for one pod spec. A ServiceAccount that cannot be read, or does not exist yet, counts as one that opted out;
 * what an earlier admission has injected stays while it cannot be read.
 *
 * @param isInjected an earlier admission has injected the template
 */
export function apiTokenFor(
  podSpec: RawObject,
  {
    rule,
    selected,
    known,
    isInjected,
  }: {
    readonly rule: Rule;
    readonly selected: readonly Selected[];
    readonly known: KnownSources | undefined;
    readonly isInjected: boolean;
  },
): TokenVerdict {
  if (!rule.vault.auth.isForAPIServer) return {};
  const { automountServiceAccountToken: wish } = podSpec;
  if (wish === false) return { unwanted: 'the pod template opts out of it (automountServiceAccountToken: false)' };
  const hiding = selected.find(({ container }) => hidesToken(container, podSpec));
  if (hiding !== undefined) {
    return { unwanted: `container ${hiding.name} opts out of it (it mounts another volume at ${TOKEN_MOUNT})` };
  }
  if (wish === true) return {};
  const name = serviceAccountOf(podSpec);
  const ref: SourceRef = { kind: 'ServiceAccount', name };
  const answer = known?.(ref);
  if (answer === undefined) return { asks: ref };
  if ('missing' in answer) return { unwanted: `ServiceAccount ${name}, which may opt out of it, does not exist yet` };
  if ('unreadable' in answer) {
    const what = `ServiceAccount ${name}, which may opt out of it, cannot be read`;
    return isInjected ? { note: `${what}: ${answer.unreadable}` } : { unwanted: `${what}: ${answer.unreadable}` };
  }
  return answer.data[OPT_OUT] === 'true'
    ? { unwanted: `ServiceAccount ${name} opts out of it (automountServiceAccountToken: false)` }
    : {};
}

/** With a volume of its own that holds no token, a container has none although its pod has. */
function hidesToken(container: RawObject, podSpec: RawObject): boolean {
  const mount = mountsOf(container).find(({ path }) => path.replace(/\/+$/, '') === TOKEN_MOUNT);
  if (mount === undefined) return false;
  const volume = (asList(podSpec.volumes) ?? []).map(asObject).find((one) => nameOf(one) === mount.volume);
  const sources = asList(asObject(volume?.projected)?.sources) ?? [];
  const holdsToken = sources.some((source) => asObject(asObject(source)?.serviceAccountToken) !== undefined);
  // a Secret may be one of type kubernetes.io/service-account-token, and nobody looks into it
  return !holdsToken && asObject(volume?.secret) === undefined;
}

/**
 * Returns all objects to look up. The ServiceAccount is asked for along with what may select containers: a second answer
 * would replace the first.
 */
export function needsWith(
  account: SourceRef | undefined,
  { selected, needs }: Pick<Selection, 'selected' | 'needs'>,
): SourceNeeds | undefined {
  if (account === undefined || (selected.length === 0 && needs === undefined)) return needs;
  return { objects: [account, ...(needs?.objects ?? [])] };
}

function denialOf({ policy }: Rule, unwanted: string): Denial {
  const message = `policy ${policy.name} would give its pods a token for the API server, and ${unwanted}`;
  return { reason: 'TokenOptedOut', message };
}

const ADVICE =
  'set vault.auth.audience in the policy to an audience of Vault (docs/guides/token-audience.md), or ' +
  'automountServiceAccountToken: true in the pod template';

/** For a template that stays as it is, or is refused. */
export function tokenUnwanted(rule: Rule, unwanted: string): Hold {
  return {
    held: denialOf(rule, unwanted),
    advice: ADVICE,
    warning: warningOf(rule),
    reason: 'its pods opt out of tokens for the API server',
  };
}

/** For containers that are left alone because the policy ignores failures. */
export function skippedForToken(rule: Rule, unwanted: string, selected: readonly Selected[]): readonly Skipped[] {
  const denial = denialOf(rule, unwanted);
  return selected.map(({ name }) => ({ name, ...denial, message: `${denial.message}; ${ADVICE}` }));
}

/** In two lines, because a warning is cut at 120 characters. */
export function warnOfToken(rule: Rule, unwanted: string, warn: (text: string) => void): void {
  warn(warningOf(rule));
  warn(unwanted);
}

function warningOf({ policy }: Rule): string {
  return `not injected: policy ${policy.name} must set vault.auth.audience, as the pods opt out of API tokens`;
}
