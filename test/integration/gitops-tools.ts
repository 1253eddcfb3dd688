/**
 * How GitOps tools find drift, done with what they do it with: the API server's dry runs of server-side apply, and the
 * strategic merge of kubectl, which is the library that they link.
 */
import type { ControlPlane } from '../support/control-plane.ts';

type Json = Record<string, unknown>;

/** An object as the API server stores it, with its managedFields. */
export interface Stored {
  metadata: Json & { resourceVersion: string; managedFields?: ManagedFields[] };
  spec: Json;
}

export interface ManagedFields {
  manager: string;
  operation: string;
  subresource?: string;
  fieldsV1: Json;
}

/** The part of a path below a workload's pod spec is all that a test has to write: `containers[app].args`. */
const POD_SPEC = 'spec.template.spec.';

export class GitOpsTools {
  readonly #plane: Pick<ControlPlane, 'kubectl' | 'kubectlOk'>;

  constructor(plane: Pick<ControlPlane, 'kubectl' | 'kubectlOk'>) {
    this.#plane = plane;
  }

  async live({ kind, metadata: { name, namespace } }: Applied): Promise<Stored> {
    const args = ['get', kind, name, '-n', namespace, '-o', 'json', '--show-managed-fields'];
    return JSON.parse(await this.#plane.kubectlOk(args)) as Stored;
  }

  /** What server-side apply by this manager, with force, would leave behind; nothing is stored. */
  async dryRun(manifest: object, manager: string): Promise<Stored> {
    const force = ['--server-side', '--force-conflicts', `--field-manager=${manager}`];
    const args = ['apply', ...force, '--dry-run=server', '-o', 'json', '--show-managed-fields', '-f', '-'];
    return JSON.parse(await this.#plane.kubectlOk(args, JSON.stringify(manifest))) as Stored;
  }

  /**
   * Argo CD as it is without settings: the three-way merge of what was applied last, the manifest and the live object
   * is made in the client, so no webhook has a say. Returns the paths at which the live object differs from that.
   */
  async argoDiff(manifest: Applied): Promise<string[]> {
    const live = await this.live(manifest);
    const apply = ['apply', '--dry-run=server', '-v=9', '-f', '-'];
    const { stderr } = await this.#plane.kubectl(apply, JSON.stringify(manifest));
    const patch = lastRequestBody(stderr);
    if (patch === undefined) return []; // kubectl sends no empty patch
    const merge = ['patch', '--local', '-f', '-', '--type=strategic', '-p', patch, '-o', 'json'];
    return differences(live, JSON.parse(await this.#plane.kubectlOk(merge, JSON.stringify(live))) as Stored);
  }

  /**
   * Argo CD with ServerSideDiff: a dry run beside the live object. Unless IncludeMutationWebhook is set, Argo CD takes
   * every field that its own manager does not own from the live object before it compares.
   */
  async argoServerSideDiff(manifest: Applied, includeMutationWebhook: boolean): Promise<string[]> {
    const manager = 'argocd-controller';
    const predicted = await this.dryRun(manifest, manager);
    const owned = (predicted.metadata.managedFields ?? []).filter((entry) => entry.manager === manager);
    const found = differences(await this.live(manifest), predicted);
    return includeMutationWebhook
      ? found
      : found.filter((path) => owned.some(({ fieldsV1 }) => owns(fieldsV1, stepsOf(path))));
  }

  /**
   * Flux's kustomize-controller: applies for real only where the labels, the annotations or anything beside metadata
   * and status of a dry run differ from the live object. Returns where.
   */
  async fluxReconcile(manifest: Applied): Promise<string[]> {
    const [live, predicted] = [await this.live(manifest), await this.dryRun(manifest, 'kustomize-controller')];
    const compared = ({ metadata, ...rest }: Stored): Json => {
      const { labels, annotations } = metadata;
      return { ...rest, status: undefined, metadata: { labels, annotations } };
    };
    const drift = differences(compared(live), compared(predicted));
    if (drift.length > 0) {
      const force = ['--server-side', '--force-conflicts', '--field-manager=kustomize-controller'];
      await this.#plane.kubectlOk(['apply', ...force, '-f', '-'], JSON.stringify(manifest));
    }
    return drift;
  }
}

interface Applied {
  kind: string;
  metadata: { name: string; namespace: string };
}

/** kubectl logs `"Request Body" body="{\"spec\":…}"`, the string being Go's, which JSON can read. */
function lastRequestBody(log: string): string | undefined {
  const bodies = [...log.matchAll(/"Request Body" body=("\{(?:[^"\\]|\\.)*\}")/g)];
  const last = bodies.at(-1)?.[1];
  return last === undefined ? undefined : (JSON.parse(last) as string);
}

/** Where two objects differ, managedFields aside. Lists of named things are compared by name, and by their order. */
export function differences(left: unknown, right: unknown): string[] {
  const found: string[] = [];
  compare(left, right, [], found);
  return found.sort();
}

function compare(left: unknown, right: unknown, steps: readonly string[], found: string[]): void {
  if (canonical(left) === canonical(right)) return;
  const [before, after] = [childrenOf(left), childrenOf(right)];
  if (before === undefined || after === undefined) {
    found.push(pathOf(steps));
    return;
  }
  const names = [...new Set([...before.keys(), ...after.keys()])].filter((name) => name !== 'managedFields');
  const count = found.length;
  for (const name of names) compare(before.get(name), after.get(name), [...steps, name], found);
  const sameNames = before.size === after.size && names.every((name) => before.has(name) && after.has(name));
  const isList = Array.isArray(left);
  if (isList && sameNames && found.length === count) found.push(`${pathOf(steps)} (order)`);
}

/** Fields of an object, or elements of a list whose elements have keys. */
function childrenOf(value: unknown): Map<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (!Array.isArray(value)) return new Map(Object.entries(value));
  const keyed = value.map((element: unknown): [string | undefined, unknown] => [keyOf(element), element]);
  if (keyed.some(([key]) => key === undefined)) return undefined;
  return new Map(keyed as [string, unknown][]);
}

/** `[app]`, the way that a path names an element: by mount path, else by name. */
function keyOf(element: unknown): string | undefined {
  const { mountPath, name } = (element ?? {}) as Json;
  const key = mountPath ?? name;
  return typeof key === 'string' ? `[${key}]` : undefined;
}

const SEPARATOR = '\u0000';

/** `spec.template.spec.containers[app].args`, without what all paths of a pod spec share. Names hold no separator. */
function pathOf(steps: readonly string[]): string {
  const text = steps.reduce(
    (path, step) => (path === '' || step.startsWith('[') ? path + step : `${path}.${step}`),
    '',
  );
  return text.startsWith(POD_SPEC) ? text.slice(POD_SPEC.length) : text;
}

/** The steps of a path of pathOf, again. Keys of annotations have dots in them, and stand last. */
function stepsOf(path: string): string[] {
  const [, head = '', annotation] = /^(.*?annotations)\.(.*)$/.exec(path) ?? [undefined, path, undefined];
  const full = /^(spec|metadata|status|apiVersion|kind)\b/.test(head) ? head : POD_SPEC + head;
  const steps = full.replaceAll(/(\[[^\]]*\])/g, `${SEPARATOR}$1`).split(new RegExp(`[.${SEPARATOR}]+`));
  return annotation === undefined ? steps : [...steps, annotation];
}

/** Whether a set of fields (KEP-555's fieldsV1) has this path, or what it lies in as a whole. */
function owns(fields: Json, steps: readonly string[]): boolean {
  const [step, ...rest] = steps;
  if (step === undefined) return true;
  const key = Object.keys(fields).find((name) =>
    step.startsWith('[') ? name.startsWith('k:') && name.includes(`"${step.slice(1, -1)}"`) : name === `f:${step}`,
  );
  if (key === undefined) return false;
  const inner = fields[key] as Json;
  return Object.keys(inner).length === 0 || owns(inner, rest);
}

/** JSON with sorted keys; '' for undefined. */
function canonical(value: unknown): string {
  const sorted = (_: string, inner: unknown): unknown =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner;
  return value === undefined ? '' : JSON.stringify(value, sorted);
}
