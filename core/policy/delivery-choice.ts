/**
 * Chooses how vault-env gets into pods where a policy leaves that to the operator (delivery Auto): by an image volume
 * where every node of the cluster can mount one, else by an init container. Pure.
 */
import type { RuleInjector } from './rule.ts';

/** What a kubelet says about its node (status.nodeInfo). */
export interface NodeFacts {
  readonly name: string;
  /** Of the kubelet, such as v1.37.2. */
  readonly version: string;
  /** Such as containerd://2.1.4. */
  readonly runtime: string;
}

export interface DeliveryChoice {
  readonly delivery: RuleInjector['delivery'];
  /** One sentence for people. */
  readonly message: string;
}

type Version = readonly [major: number, minor: number];

// Image volumes are always on since 1.36, but until a fix in 1.37 the kubelet tells one Event each second for each of
// them (kubernetes/kubernetes#138655).
const KUBELET: Version = [1, 37];
// The first containerd that mounts images; what other runtimes do has not been tried.
const CONTAINERD: Version = [2, 1];
const LONGEST_NAME = 63;

/** @param nodes those that run Linux; none if there are no others, or none yet */
export function chooseDelivery(nodes: readonly NodeFacts[]): DeliveryChoice {
  if (nodes.length === 0) return { delivery: 'InitContainer', message: 'no node that runs Linux is known yet' };
  const unable = nodes.find((node) => !isAble(node));
  if (unable === undefined) {
    const message = `all nodes (${nodes.length}) can mount images: Kubernetes ${text(KUBELET)} and containerd ${text(CONTAINERD)}, or newer`;
    return { delivery: 'ImageVolume', message };
  }
  const { name, version, runtime } = unable;
  const message =
    `node ${shown(name)} has Kubernetes ${shown(version)} with ${shown(runtime)}; ` +
    `image volumes need Kubernetes ${text(KUBELET)} with containerd ${text(CONTAINERD)}, or newer, on every node`;
  return { delivery: 'InitContainer', message };
}

function isAble({ version, runtime }: NodeFacts): boolean {
  return (
    isAtLeast(/^v?(\d{1,4})\.(\d{1,4})\./.exec(version), KUBELET) &&
    isAtLeast(/^containerd:\/\/v?(\d{1,4})\.(\d{1,4})\./.exec(runtime), CONTAINERD)
  );
}

function isAtLeast(match: RegExpExecArray | null, [major, minor]: Version): boolean {
  const [is, has] = [Number(match?.[1]), Number(match?.[2])];
  return is > major || (is === major && has >= minor);
}

function text([major, minor]: Version): string {
  return `${major}.${minor}`;
}

/** What a node says of itself is not ours to trust. */
function shown(value: string): string {
  return value.replace(/[^\w.:/+-]/g, '?').slice(0, LONGEST_NAME);
}
