/**
 * The kubectl of demo.test.ts: what is applied through it fits the cluster that newcomer.ts describes. NEWCOMER says where.
 *
 *     NEWCOMER='{"kubectl":"/path/to/kubectl","server":"https://127.0.0.1:PORT","vaultPort":PORT}' node newcomer-kubectl.ts get pods
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import { addressesHere, onTheHost } from './newcomer.ts';

export interface NewcomerKubectl {
  readonly kubectl: string;
  readonly server: string;
  readonly vaultPort: number;
}

interface Applied {
  readonly kind: string;
  readonly metadata: { readonly labels?: Record<string, string> };
}

const { kubectl, server, vaultPort } = JSON.parse(process.env.NEWCOMER ?? '{}') as NewcomerKubectl;
const here = addressesHere({ server }, vaultPort);
const args = process.argv.slice(2).map(here);

/** Objects come as JSON: one, or a List. */
function adapted(json: string): string {
  const object = JSON.parse(json) as Applied & { readonly items?: readonly Applied[] };
  for (const one of object.items ?? [object]) {
    onTheHost(one);
    // pods that use the network of their node are not "restricted"
    for (const label of Object.keys(one.kind === 'Namespace' ? (one.metadata.labels ?? {}) : {}))
      if (label.startsWith('pod-security.kubernetes.io/'))
        Object.assign(one.metadata.labels ?? {}, { [label]: 'privileged' });
  }
  return here(JSON.stringify(object));
}

const fromStdin = args.includes('-') && args[args.indexOf('-') - 1] === '-f';
const { status, error } = spawnSync(kubectl, args, {
  stdio: [fromStdin ? 'pipe' : 'inherit', 'inherit', 'inherit'],
  ...(fromStdin ? { input: adapted(readFileSync(0, 'utf8')) } : {}),
});
if (error !== undefined) throw error;
process.exitCode = status ?? 1;
