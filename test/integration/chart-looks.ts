/** How the tests of the chart look into what is rendered: for a value, what it is set to, and what is then seen where. */
import { RELEASE, type Manifest } from '../support/helm.ts';

/** Reads what a value is about from the rendered objects. */
export type Look = (objects: readonly Manifest[]) => unknown;

export interface Case {
  /** What the value is set to. */
  readonly value: unknown;
  readonly look: Look;
  /** What is then seen. It has to be something else by default. */
  readonly seen: unknown;
  /** Other values that it needs, by path. */
  readonly also?: Readonly<Record<string, unknown>>;
}

type Steps = readonly (string | number)[];

/** Follows steps into an object; undefined where there is nothing. */
function at(from: unknown, ...steps: Steps): unknown {
  return steps.reduce<unknown>((value, step) => (value as Record<string | number, unknown> | undefined)?.[step], from);
}

/** Looks into the one object of that kind and name. */
export function into(kind: string, name: string, ...steps: Steps): Look {
  return (objects) =>
    at(
      objects.find((one) => one.kind === kind && one.metadata.name === name),
      ...steps,
    );
}

export const TEMPLATE = ['spec', 'template'] as const;
export const POD = [...TEMPLATE, 'spec'] as const;
export const CONTAINER = [...POD, 'containers', 0] as const;
/** In the operator's Deployment, its pods, their container, the Job of the removal, a network policy. */
export const deployment = (...steps: Steps): Look => into('Deployment', RELEASE, ...steps);
export const pod = (...steps: Steps): Look => deployment(...POD, ...steps);
export const container = (...steps: Steps): Look => deployment(...CONTAINER, ...steps);
export const job = (...steps: Steps): Look => into('Job', `${RELEASE}-uninstall`, ...steps);
export const network = (name: string, ...steps: Steps): Look =>
  into('NetworkPolicy', `${RELEASE}-${name}`, 'spec', ...steps);

/** The value of a variable of the operator. */
export function variable(name: string): Look {
  return (objects) =>
    (container('env')(objects) as readonly { name: string; value?: string }[]).find((one) => one.name === name)?.value;
}

/** What several looks see, the pods of the removal often like those of the operator. */
export const all =
  (...looks: readonly Look[]): Look =>
  (objects) =>
    looks.map((look) => look(objects));
/** In the pods of the operator and of the removal. */
export const bothPods = (...steps: Steps): Look => all(pod(...steps), job(...POD, ...steps));
export const bothContainers = (...steps: Steps): Look => all(container(...steps), job(...CONTAINER, ...steps));
export const twice = (seen: unknown): unknown => [seen, seen];

/** How many objects of a kind there are, or of some names. */
export const count =
  (kind: string, name = /./): Look =>
  (objects) =>
    objects.filter((one) => one.kind === kind && name.test(one.metadata.name)).length;

/** The last of what is seen. */
export const last =
  (look: Look): Look =>
  (objects) =>
    (look(objects) as readonly unknown[]).at(-1);

/** What selects the operator's pods. */
export const SELECTOR = { 'app.kubernetes.io/component': 'operator', 'app.kubernetes.io/name': RELEASE };
