import type { ControlPlane } from './control-plane.ts';

interface Configuration {
  readonly webhooks?: readonly {
    readonly clientConfig: { readonly url?: string; readonly service?: { readonly path: string } };
  }[];
}

/**
 * Returns the path at which API servers call an entry of the webhook, such as `/mutate/TOKEN/fail`, as anybody learns it
 * who may read the webhook configuration. Rejects if there is no configuration.
 */
export async function webhookPath(
  { kubectlOk }: Pick<ControlPlane, 'kubectlOk'>,
  entry: 'ignore' | 'fail' | 'probe',
): Promise<string> {
  const configuration = ['get', 'mutatingwebhookconfiguration', 'vault-injection-operator', '-o', 'json'];
  const { webhooks = [] } = JSON.parse(await kubectlOk(configuration)) as Configuration;
  const { url, service } = webhooks[0]?.clientConfig ?? {};
  const path = service?.path ?? new URL(url ?? '').pathname;
  return path.replace(/[^/]+$/, entry);
}
