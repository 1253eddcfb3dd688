/**
 * The startup probe that makes a rolling update wait for the secrets (ADR 19): a container with neither a startup nor a
 * readiness probe counts as ready as soon as vault-env runs, before its program does. The probe executes
 * `vault-env --started` in the container, which succeeds once the program runs. Pure.
 */
import { asObject, asString, asStrings, withField, without } from '../json.ts';
import type { RawObject } from '../json.ts';
import type { Rule } from '../policy/rule.ts';
import { longestStartMs } from '../policy/start-time.ts';
import { STARTED_FLAG } from './names.ts';
import type { ContainerList } from './pod.ts';

// A program mostly starts within a second, and its container is not available before the next probe.
const PERIOD_SECONDS = 1;
// Starting a process in a container takes a while on a busy node.
const TIMEOUT_SECONDS = 5;
// vault-env itself ends the container when Vault does not answer in time: the kubelet should be later, because it also
// counts the time until vault-env gets a processor.
const LATER_SECONDS = 30;

/** The kinds of probes; the API server refuses a probe with two of them. */
const HANDLERS: readonly string[] = ['exec', 'httpGet', 'tcpSocket', 'grpc'];

/**
 * Returns the probe to add to a container without injection, with every default of the API server written out; undefined
 * if it needs none: it has one that tells when it is ready, or its pod waits for its end anyway.
 */
export function startupProbeFor(
  container: RawObject,
  list: ContainerList,
  executable: string,
  rule: Pick<Rule, 'startupProbe' | 'vault' | 'process'>,
): RawObject | undefined {
  const isSidecar = asString(container.restartPolicy) === 'Always';
  if (!rule.startupProbe || (list === 'initContainers' && !isSidecar)) return undefined;
  if (asObject(container.startupProbe) !== undefined || asObject(container.readinessProbe) !== undefined)
    return undefined;
  return {
    exec: { command: [executable, STARTED_FLAG] },
    timeoutSeconds: TIMEOUT_SECONDS,
    periodSeconds: PERIOD_SECONDS,
    successThreshold: 1,
    failureThreshold: Math.ceil(longestStartMs(rule) / 1000 / PERIOD_SECONDS) + LATER_SECONDS,
  };
}

/**
 * Returns the container without our probe. If an apply has merged a user's probe into ours, the user's is left, with the
 * API server's defaults in place of our numbers.
 *
 * @param failureThreshold of the probe that was added; undefined if it is not known, or none was
 */
export function withoutStartupProbe(
  container: RawObject,
  executables: ReadonlySet<string>,
  failureThreshold: number | undefined,
): RawObject {
  const probe = asObject(container.startupProbe);
  if (probe === undefined) return container;
  const hasOurHandler = isOurs(probe, executables);
  if (!hasOurHandler && failureThreshold === undefined) return container;
  const kept = hasOurHandler ? without(probe, 'exec') : probe;
  if (!HANDLERS.some((handler) => asObject(kept[handler]) !== undefined)) {
    return hasOurHandler ? without(container, 'startupProbe') : container;
  }
  const ours: RawObject = { timeoutSeconds: TIMEOUT_SECONDS, periodSeconds: PERIOD_SECONDS, failureThreshold };
  const left = Object.keys(ours).filter((key) => kept[key] === ours[key]);
  return withField(container, 'startupProbe', without(kept, ...left));
}

/** Whether the probe has the handler that we add. */
function isOurs(probe: RawObject, executables: ReadonlySet<string>): boolean {
  const words = asStrings(asObject(probe.exec)?.command) ?? [];
  return words.length === 2 && executables.has(words[0] ?? '') && words[1] === STARTED_FLAG;
}
