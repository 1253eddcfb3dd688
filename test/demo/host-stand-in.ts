/**
 * Where no kubelet can run: starts the program of an injected template on this host, as a kubelet would in a pod, with
 * vault-env in front of it and a real token of the pod's ServiceAccount. A stand-in, and it says so: no container, no
 * file system of its own, no user of its own.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { LiveTemplate } from '../integration/cluster.ts';
import type { Stage } from '../support/stage.ts';
import { VAULT_ENV_LINKER } from '../../build/go-modules.ts';
import { goBuild } from '../../build/tools/go-build.ts';

const PRINTING_MS = 3000;

/** What the first container of `template` prints in its first seconds; its processes are ended then. */
export async function runOnHost(stage: Stage, template: LiveTemplate, namespace: string): Promise<string> {
  const [container] = template.spec.containers;
  if (container?.args === undefined) throw new Error('the template has not been injected');
  const folder = mkdtempSync(join(tmpdir(), 'vault-injection-host-'));
  try {
    const vaultEnv = join(folder, 'vault-env');
    await goBuild(join(import.meta.dirname, '../../vault-env'), '.', vaultEnv, [`-ldflags=${VAULT_ENV_LINKER}`]);
    const account = (template.spec as { serviceAccountName?: string }).serviceAccountName ?? 'default';
    const token = await stage.plane.kubectlOk([
      ...['create', 'token', account, '-n', namespace, '--duration=10m', `--audience=${audienceIn(template)}`],
    ]);
    const tokenPath = join(folder, 'token');
    writeFileSync(tokenPath, token.trim(), { mode: 0o600 });
    const env = Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value.replaceAll('$$', '$')]));
    const config = JSON.parse(env.VAULT_ENV_CONFIG ?? '{}') as { vault: { auth: Record<string, unknown> } };
    config.vault.auth.tokenPath = tokenPath;
    return await firstOutput(vaultEnv, container.args, {
      ...env,
      PATH: process.env.PATH ?? '',
      VAULT_ENV_CONFIG: JSON.stringify(config),
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The audience of the token that injection has added. */
function audienceIn({ spec }: LiveTemplate): string {
  const sources = (spec.volumes ?? []).flatMap(({ projected }) => projected?.sources ?? []);
  const audience = sources.find(({ serviceAccountToken }) => serviceAccountToken)?.serviceAccountToken?.audience;
  if (audience === undefined) throw new Error('the template has no token with an audience of its own');
  return audience;
}

function firstOutput(program: string, args: readonly string[], env: Record<string, string>): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    child.stderr.setEncoding('utf8').on('data', (part: string) => (text += part));
    child.once('error', reject);
    const end = setTimeout(() => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    }, PRINTING_MS);
    child.once('close', () => {
      clearTimeout(end);
      resolve(text.trim());
    });
  });
}
