import type { Resource } from '../../core/object.ts';
import type { Clock } from '../../kube/clock.ts';
import { isForbidden } from '../../kube/errors.ts';
import type { Logger } from '../../kube/log.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { OwnerReference, WebhookConfiguration } from './configuration.ts';

export interface OwnerOptions {
  readonly client: Pick<ObjectClient, 'get'>;
  readonly clock: Pick<Clock, 'elapsed'>;
  readonly logger: Logger;
  /** Of the ClusterRole of this installation. */
  readonly name: string;
}

/**
 * Present: the configuration is to be removed together with it. None: there has never been one. Gone: there was, so the
 * installation is being removed. Unreadable: RBAC does not allow to look.
 */
export type Ownership =
  { readonly is: 'Present'; readonly reference: OwnerReference } | { readonly is: 'None' | 'Gone' | 'Unreadable' };

export const CLUSTER_ROLES: Resource = { group: 'rbac.authorization.k8s.io', version: 'v1', plural: 'clusterroles' };

const API_VERSION = 'rbac.authorization.k8s.io/v1';
// One that was deleted and created again has another uid, and the garbage collector then removes what the earlier one
// owned, which wakes the keeper at once. This is for the case that no garbage collector runs at that time.
const LOOK_MS = 60_000;

/**
 * The ClusterRole that owns the webhook configuration: whatever removes the installation removes it, and then the
 * cluster's garbage collector removes the configuration, with or without an operator.
 */
export class Owner {
  readonly #options: OwnerOptions;
  #known: { readonly ownership: Ownership; readonly at: number } | undefined;
  #wasPresent = false;
  #said: Ownership['is'] = 'Present';

  constructor(options: OwnerOptions) {
    this.#options = options;
  }

  /**
   * Resolves with what is known, or is found out now: always with `isFresh`, else each minute. Rejects with ApiError if
   * the API server does not say.
   */
  async look(observed: WebhookConfiguration | undefined, isFresh = true): Promise<Ownership> {
    const { clock, name } = this.#options;
    if (ownerIn(observed, name) !== undefined) this.#wasPresent = true;
    const now = clock.elapsed();
    if (!isFresh && this.#known !== undefined && now - this.#known.at < LOOK_MS) return this.#known.ownership;
    const ownership = await this.#find();
    this.#known = { ownership, at: now };
    this.#say(ownership.is);
    return ownership;
  }

  /** Resolves with the uid of the ClusterRole; undefined if there is none, or it must not be read. */
  async uid(): Promise<string | undefined> {
    const ownership = await this.look(undefined);
    return ownership.is === 'Present' ? ownership.reference.uid : undefined;
  }

  /** Returns the reference to it in this object. */
  referenceIn(observed: WebhookConfiguration | undefined): OwnerReference | undefined {
    return ownerIn(observed, this.#options.name);
  }

  async #find(): Promise<Ownership> {
    const { client, name } = this.#options;
    try {
      const uid = (await client.get(CLUSTER_ROLES, name))?.metadata.uid;
      if (uid === undefined) return { is: this.#wasPresent ? 'Gone' : 'None' };
      this.#wasPresent = true;
      const reference = { apiVersion: API_VERSION, kind: 'ClusterRole', name, uid, blockOwnerDeletion: false } as const;
      return { is: 'Present', reference };
    } catch (error) {
      if (isForbidden(error)) return { is: 'Unreadable' };
      throw error;
    }
  }

  #say(is: Ownership['is']): void {
    if (is === this.#said) return;
    this.#said = is;
    const { logger, name: clusterRole } = this.#options;
    switch (is) {
      case 'Present':
        logger.info({ clusterRole }, 'the webhook configuration is removed together with the ClusterRole');
        break;
      case 'None':
        logger.info(
          { clusterRole },
          'there is no such ClusterRole (--cluster-role), so nothing but uninstall removes the webhook configuration',
        );
        break;
      case 'Gone':
        logger.warn(
          { clusterRole },
          'the ClusterRole is gone, so this installation is being removed: the webhook configuration is not written any more',
        );
        break;
      case 'Unreadable':
        logger.warn(
          { clusterRole },
          'the operator may not read its ClusterRole, so nothing but uninstall removes the webhook configuration: ' +
            'name it in the rule of clusterroles in config/rbac/operator.yaml, and in --cluster-role (config/README.md)',
        );
        break;
    }
  }
}

function ownerIn(observed: WebhookConfiguration | undefined, name: string): OwnerReference | undefined {
  return observed?.metadata.ownerReferences?.find((owner) => owner.kind === 'ClusterRole' && owner.name === name);
}
