import type { ControlPlane } from './control-plane.ts';

/**
 * Makes a Service through which the API server reaches a webhook that listens on this machine's loopback, at any port
 * that the webhook's clientConfig.service.port names. An ExternalName Service, because endpoints may not be loopback
 * addresses; the API server follows it for webhooks, and verifies NAME.NAMESPACE.svc as for any other Service.
 */
export async function exposeLoopback(cluster: ControlPlane, namespace: string, name: string): Promise<void> {
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name },
    spec: { type: 'ExternalName', externalName: 'localhost' },
  };
  await cluster.kubectlOk(['apply', '-f', '-'], JSON.stringify(service));
}
