/** The installation of config/default, for an operator that runs here with the rights of its account. */
import { join } from 'node:path';

import type { ControlPlane } from './control-plane.ts';
import { defaultConfig } from './kubernetes-versions.ts';
import { exposeLoopback } from './loopback-service.ts';
import { OPERATOR } from './vault.ts';

/**
 * Applies config/default, or that of another checkout, without pods: its Service leads to loopback, where replicas run.
 * Resolves with a kubeconfig for the account of the operator.
 */
export async function installDefault(plane: ControlPlane, name: string, root?: string): Promise<string> {
  const { name: operator, namespace } = OPERATOR;
  const config = root === undefined ? defaultConfig() : join(root, 'config/default');
  await plane.kubectlOk(['apply', '--server-side', '--force-conflicts', '-k', config]);
  await plane.kubectlOk(['scale', 'deployment', operator, '-n', namespace, '--replicas=0']);
  await plane.kubectlOk(['delete', 'service', operator, '-n', namespace]);
  await exposeLoopback(plane, namespace, operator);
  const token = (await plane.kubectlOk(['create', 'token', operator, '-n', namespace])).trim();
  return plane.kubeconfigWithToken(name, token);
}
