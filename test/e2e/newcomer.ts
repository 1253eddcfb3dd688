/**
 * What a newcomer has, on a cluster of one real kubelet: the images that nodes would pull, a kubectl and a helm. There is no kind
 * here, and this cluster differs in this:
 * - There is no pod network and no kube-proxy. Pods share the host's network, Services are not reachable, and so the addresses of
 *   Vault and of the API server are those on loopback, and the operator's Service leads to loopback.
 * - Vault is the one of the tests, which has the plugin for Kubernetes as a file of its own.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';

import { buildImage } from '../../build/image.ts';
import { ensureTools } from '../../build/tools/tools.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import type { Node } from '../support/node.ts';
import { busyboxImage } from '../support/test-images.ts';

const SYSTEM = 'vault-injection-system';
const OPERATOR = 'vault-injection-operator';

/** Makes the node know the images that docker.io would have: busybox, and Vault with its plugin. */
export async function importPublicImages(node: Node): Promise<void> {
  const tools = await ensureTools(['vault', 'vault-plugin-auth-kubernetes']);
  const folder = join(node.dir, 'images');
  mkdirSync(folder, { recursive: true });
  await node.importImage(await busyboxImage(folder, { name: 'docker.io/library/busybox:1.37' }));
  const files = [
    { path: '/bin/vault', source: tools.vault.path },
    { path: '/plugins/kubernetes', source: tools['vault-plugin-auth-kubernetes'].path },
    { path: '/tmp/.keep', content: '' }, // Vault talks with its plugins there
  ];
  const name = 'docker.io/hashicorp/vault:1.21.1';
  await node.importImage(buildImage({ name, files, config: { env: ['PATH=/bin'] } }, join(folder, 'vault.tar')));
}

/** Returns a function that puts the addresses of this cluster into a text, in place of those of a real one. */
export function addressesHere(plane: Pick<ControlPlane, 'server'>, vaultPort: number): (text: string) => string {
  return (text) =>
    text
      .replaceAll('http://vault.vault.svc:8200', `http://127.0.0.1:${vaultPort}`)
      .replaceAll('0.0.0.0:8200', `127.0.0.1:${vaultPort}`)
      .replaceAll('8200', String(vaultPort))
      .replaceAll('https://kubernetes.default.svc', plane.server);
}

interface Container {
  command?: string[];
  readinessProbe?: unknown;
}

interface WithTemplate {
  readonly template?: { readonly spec: { containers: Container[] } };
}

/** Changes an object so that its pods share the host's network, and Vault has its plugin. */
export function onTheHost(object: object): void {
  const { spec } = object as { spec?: WithTemplate & { jobTemplate?: { spec: WithTemplate } } };
  const pod = (spec?.jobTemplate?.spec ?? spec)?.template?.spec;
  if (pod === undefined) return;
  Object.assign(pod, { hostNetwork: true, dnsPolicy: 'Default' });
  for (const container of pod.containers.filter(({ command }) => command?.[0] === 'vault')) {
    container.command?.push('-dev-plugin-dir=/plugins');
    const command = ['vault', 'plugin', 'info', 'auth', 'kubernetes']; // which it finds a moment after it has begun
    container.readinessProbe = { exec: { command }, periodSeconds: 1, timeoutSeconds: 10 };
  }
}

/** Writes an executable file with the commands of a shell. */
export function writeScript(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\nset -e\n${text}\n`, { mode: 0o755 });
}

/**
 * Writes into `bin` a helm that installs with the values that this node needs besides, and then gives the operator a Service that
 * leads to loopback.
 */
export async function writeHelm(
  bin: string,
  plane: ControlPlane,
  ports: { readonly webhook: number; readonly health: number },
): Promise<void> {
  const { helm4, kubectl } = await ensureTools(['helm4', 'kubectl']);
  const values = join(bin, 'this-node.yaml');
  writeFileSync(values, stringify(valuesForThisNode(plane, ports)));
  const service = {
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { namespace: SYSTEM, name: OPERATOR } },
    spec: { type: 'ExternalName', externalName: 'localhost' },
  };
  const onLoopback = join(bin, 'service.json');
  writeFileSync(onLoopback, JSON.stringify(service));
  writeScript(
    join(bin, 'helm'),
    `case " $* " in
*" install "* | *" upgrade "*)
  ${helm4.path} "$@" --values ${values}
  ${kubectl.path} replace --force -f ${onLoopback}
  ;;
*) exec ${helm4.path} "$@" ;;
esac`,
  );
}

/** Values of the chart by which the operator runs on the one node of a test. */
export function valuesForThisNode(
  plane: ControlPlane,
  { webhook, health }: { readonly webhook: number; readonly health: number },
): object {
  return {
    hostNetwork: true,
    replicas: 1, // both would want the same ports
    webhook: { port: webhook },
    metrics: { port: health },
    extraEnv: [
      { name: 'KUBERNETES_SERVICE_HOST', value: '127.0.0.1' },
      { name: 'KUBERNETES_SERVICE_PORT', value: new URL(plane.server).port },
      { name: 'VAULT_INJECTION_WEBHOOK_SERVICE_PORT', value: String(webhook) },
    ],
  };
}
