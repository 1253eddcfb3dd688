import { asObject, asString } from '../../core/json.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { compareText } from '../../core/order.ts';
import { chooseDelivery } from '../../core/policy/delivery-choice.ts';
import type { DeliveryChoice, NodeFacts } from '../../core/policy/delivery-choice.ts';
import { coreResource } from '../../core/resources.ts';
import type { Clock } from '../../kube/clock.ts';
import { itemsOf } from '../../kube/items.ts';
import { jittered } from '../../kube/jitter.ts';
import { Listeners } from '../../kube/listeners.ts';
import type { Logger } from '../../kube/log.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { OutageLog } from '../../kube/outage-log.ts';
import { PassLoop } from '../../kube/pass-loop.ts';

export interface NodeVersionsOptions {
  readonly client: Pick<ObjectClient, 'list'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly outages?: OutageLog;
}

const NODES = coreResource('Node');
// A pool of older nodes is rare, and its pods wait until the next look.
const EVERY_MS = 600_000;
// A node with its list of images is about 20 kB.
const PAGE = 50;

/** How vault-env gets into pods where a policy leaves that to the operator, by the versions of the cluster's nodes. */
export class NodeVersions {
  readonly #options: NodeVersionsOptions;
  readonly #listeners = new Listeners();
  readonly #loop: PassLoop;
  #choice: DeliveryChoice | undefined;

  constructor(options: NodeVersionsOptions) {
    this.#options = options;
    this.#loop = new PassLoop({
      ...options,
      what: 'listing nodes for their versions',
      pass: () => this.#look(),
      everyMs: EVERY_MS,
      gapMs: 1_000,
    });
  }

  /** Undefined as long as nodes could not be listed. */
  get choice(): DeliveryChoice | undefined {
    return this.#choice;
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #look(): Promise<number> {
    const nodes: NodeFacts[] = [];
    for await (const node of itemsOf<KubernetesObject>(this.#options.client, NODES, { limit: PAGE })) {
      const facts = factsOf(node);
      if (facts !== undefined) nodes.push(facts);
    }
    // by name, so that the node that is named stays the same
    const choice = chooseDelivery(nodes.sort((a, b) => compareText(a.name, b.name)));
    const before = this.#choice;
    this.#choice = choice;
    if (before?.delivery !== choice.delivery) this.#options.logger.info({ ...choice }, 'the delivery Auto was chosen');
    if (before?.delivery !== choice.delivery || before.message !== choice.message) this.#listeners.notify();
    return jittered(EVERY_MS, this.#options.random);
  }
}

/** Returns undefined for a node that runs another operating system. */
function factsOf({ metadata, status }: KubernetesObject): NodeFacts | undefined {
  const info = asObject(asObject(status)?.nodeInfo);
  if (asString(info?.operatingSystem) !== 'linux') return undefined;
  const [version, runtime] = [info?.kubeletVersion, info?.containerRuntimeVersion].map(
    (value) => asString(value) ?? '',
  );
  return { name: metadata.name, version: version ?? '', runtime: runtime ?? '' };
}
