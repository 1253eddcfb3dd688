import { Gauge, type Registry as Register } from 'prom-client';

import { identityOf } from '../../core/object.ts';
import type { KubernetesObject, Resource } from '../../core/object.ts';
import { describeLack, lackIn } from '../../core/policy/crd-lack.ts';
import type { Lack } from '../../core/policy/crd-lack.ts';
import type { Clock } from '../../kube/clock.ts';
import { Informer } from '../../kube/informer.ts';
import type { Logger } from '../../kube/log.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { OutageLog } from '../../kube/outage-log.ts';

export interface CrdWatchOptions {
  readonly client: Pick<ObjectClient, 'list' | 'watch'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly outages?: OutageLog | undefined;
  readonly register: Register;
  /** The parsed CRD that the operator was built with. */
  readonly own: unknown;
  /** Called when `lack` is another. */
  readonly onChange: () => void;
}

const CRDS: Resource = { group: 'apiextensions.k8s.io', version: 'v1', plural: 'customresourcedefinitions' };
const NAME = 'vaultinjectionpolicies.vaultinjection.dev';

interface KeptCrd extends KubernetesObject {
  readonly lack: Lack;
}

/**
 * Says what the CRD in the cluster lacks that this version of the operator knows: neither kubectl nor Helm updates CRDs by
 * itself, and API servers drop fields that they do not know. The operator works all the same, without these fields.
 */
export class CrdWatch {
  readonly #options: CrdWatchOptions;
  readonly #informer: Informer<KeptCrd>;
  #lack: Lack = [];

  constructor(options: CrdWatchOptions) {
    this.#options = options;
    this.#informer = new Informer<KeptCrd>({
      ...options,
      resource: CRDS,
      fieldSelector: `metadata.name=${NAME}`,
      keep: (object) => keptOf(object, options.own),
      onChange: (_, object) => this.#take(object?.lack ?? []),
    });
    const lack = (): number => this.#lack.length;
    new Gauge({
      name: 'vault_injection_crd_lacking_fields',
      help: 'Fields, and values of fields, that this version of the operator knows and the CRD in the cluster does not: not 0 if the CRD was not updated with the operator.',
      registers: [options.register],
      collect() {
        this.set(lack());
      },
    });
  }

  start(): void {
    this.#informer.start();
  }

  stop(): Promise<void> {
    return this.#informer.stop();
  }

  /** Nothing while the CRD is not known, or may not be read. */
  get lack(): Lack {
    return this.#lack;
  }

  #take(lack: Lack): void {
    if (lack.join('\n') === this.#lack.join('\n')) return;
    this.#lack = lack;
    const { logger, onChange } = this.#options;
    if (lack.length === 0) logger.info('the CRD in the cluster has all fields that the operator knows');
    else logger.warn({ reason: 'CRDOutdated', lacking: lack.length }, crdOutdated(lack));
    onChange();
  }
}

/** Returns what is wrong and what to do, for people. */
export function crdOutdated(lack: Lack): string {
  return (
    `the CRD in the cluster is older than the operator, and API servers drop what it lacks: ${describeLack(lack)}; ` +
    'update it: kubectl apply --server-side -f crds/'
  );
}

function keptOf({ apiVersion, kind, metadata, ...rest }: KubernetesObject, own: unknown): KeptCrd {
  return { apiVersion, kind, metadata: identityOf(metadata), lack: lackIn(rest, own) };
}
