import type { Resource } from '../../../../core/object.ts';
import { Published } from '../../../../webhook/configuration/published.ts';
import { CONFIGURATION_NAME } from '../../../../webhook/configuration/configuration.ts';
import type { WebhookConfiguration } from '../../../../webhook/configuration/configuration.ts';
import { NamespaceLabels } from '../../../../webhook/configuration/namespace-labels.ts';
import { ConfigurationKeeper } from '../../../../webhook/configuration/keeper.ts';
import type { ConfigurationKeeperOptions } from '../../../../webhook/configuration/keeper.ts';
import { testLog } from '../../../support/test-log.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryApi } from '../../../support/memory-api.ts';
import { kindPolicies } from '../../../support/kind-policies.ts';

export const CONFIGURATIONS: Resource = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural: 'mutatingwebhookconfigurations',
};
export const pem = (name: string): string => `-----BEGIN CERTIFICATE-----\n${name}\n-----END CERTIFICATE-----\n`;
export const deployments = (namespace: string): Resource => ({
  group: 'apps',
  version: 'v1',
  plural: 'deployments',
  namespace,
});

const TARGET = { url: 'https://127.0.0.1:9443' };
export const INSTALLATION = 'vault-injection-system';
export const MARK = { 'vaultinjection.dev/installation': INSTALLATION };
export const NAMESPACES: Resource = { group: '', version: 'v1', plural: 'namespaces' };

/** One API server in memory with keepers of the configuration. */
export class World {
  readonly api = new MemoryApi();
  readonly clock = new ManualClock();
  readonly log = testLog();
  bundle = pem('one');
  /** In the paths; undefined: not known yet. */
  token: string | undefined = '';
  repairs = 0;
  leading = true;
  reached = true;
  /** Whether the leader's policies are as new as anybody's. */
  fresh = true;
  /** What the keeper that was made last has published. */
  published = this.#newPublished();
  readonly #started: ConfigurationKeeper[] = [];

  keeper(
    mayWrite = (): boolean => this.leading,
    installation = INSTALLATION,
    isExternal = false,
    more: Partial<ConfigurationKeeperOptions> = {},
  ): ConfigurationKeeper {
    const namespaceLabels = new NamespaceLabels({
      client: this.api,
      clock: this.clock,
      random: () => 0,
      logger: this.log.logger,
      onChange: () => keeper.wake(),
    });
    const external = isExternal ? (): readonly string[] => namespaceLabels.names() : undefined;
    this.published = this.#newPublished((name) => namespaceLabels.of(name), installation, external);
    const keeper: ConfigurationKeeper = new ConfigurationKeeper({
      client: this.api,
      clock: this.clock,
      random: () => 0,
      logger: this.log.logger,
      target: TARGET,
      installation,
      namespaceLabels,
      mayWrite,
      isExternal,
      isReached: () => this.reached,
      areFresh: () => this.fresh,
      published: this.published,
      labels: { 'app.kubernetes.io/managed-by': 'vault-injection-operator' },
      bundlePem: () => this.bundle,
      pathToken: () => this.token,
      onRepaired: () => {
        this.repairs += 1;
      },
      ...more,
    });
    keeper.start();
    this.#started.push(keeper);
    return keeper;
  }

  #newPublished(
    labelsOf: (name: string) => Readonly<Record<string, string>> | undefined = () => undefined,
    installation = INSTALLATION,
    external?: () => readonly string[],
  ): Published {
    return new Published({ clock: this.clock, target: TARGET, installation, labelsOf, external });
  }

  async running(policies: Record<string, 'Ignore' | 'Fail'>): Promise<ConfigurationKeeper> {
    const keeper = this.keeper();
    keeper.setPolicies(kindPolicies(Object.entries(policies)));
    await this.clock.advance(1000);
    return keeper;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#started.map((keeper) => keeper.stop()));
  }

  async configuration(): Promise<WebhookConfiguration> {
    const found = await this.api.get<WebhookConfiguration>(CONFIGURATIONS, CONFIGURATION_NAME);
    if (found === undefined) throw new Error('there is no configuration');
    return found;
  }

  /** Namespaces by entry, as the cluster has them. */
  async entries(): Promise<Record<string, string[]>> {
    const { webhooks = [] } = await this.configuration();
    const entries: Record<string, string[]> = {};
    for (const { name, namespaceSelector } of webhooks) {
      if (name === 'probe.vaultinjection.dev') continue;
      const { matchExpressions } = namespaceSelector as { matchExpressions: { values: string[] }[] };
      entries[name.replace('.vaultinjection.dev', '')] = matchExpressions[0]?.values ?? [];
    }
    return entries;
  }

  edit(change: (entry: Record<string, unknown>, object: Record<string, unknown>) => void): void {
    this.api.edit(CONFIGURATIONS, CONFIGURATION_NAME, 'kubectl-edit', (object) => {
      for (const entry of object.webhooks as Record<string, unknown>[]) change(entry, object);
    });
  }

  async workload(namespace: string, annotations: Record<string, string>, name = 'web'): Promise<void> {
    const object = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { namespace, name } };
    await this.api.create(deployments(namespace), { ...object, spec: { template: { metadata: { annotations } } } });
  }

  writes(): readonly string[] {
    return this.api.calls.filter((call) => /^(apply|replace|create)/.test(call));
  }
}

export const INJECTED = { 'vaultinjection.dev/injected': 'default/1/abc' };
