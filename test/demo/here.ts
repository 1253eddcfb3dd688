/**
 * The demo where no cluster is at hand: everything on this machine, from nothing. Ten steps, each with one line before it, then
 * what there is to see. It stays until Ctrl-C, so that one can try kubectl on it, unless it is to run once.
 */
import { writeFileSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';

import { Cluster } from '../integration/cluster.ts';
import { whyNoNode } from '../support/node.ts';
import { eventually } from '../support/operator.ts';
import { filesHolding, startStage, type Stage } from '../support/stage.ts';
import { demoTools, minutesToBuild, nodeTools } from '../../build/tools/table.ts';
import { ensureTools, missingTools } from '../../build/tools/tools.ts';
import { howToGoOn } from './how-to-go-on.ts';
import { runOnHost } from './host-stand-in.ts';
import { renderSamples, type Manifest, type Samples } from './samples.ts';
import type { Steps } from './steps.ts';
import { unifiedDiff } from './diff.ts';
import { untilStopped } from './until-stopped.ts';
import { BACKUP_JOB, isWorkload, runBackup, waitingFor, type WorkloadManifest } from './workloads.ts';

const NAMESPACE = 'shop';
// a demo secret: shown on purpose, and searched for in etcd
const SECRET = { username: 'shop', password: `demo-${Math.random().toString(36).slice(2, 12)}` };
const WEB = 'web';
export const STEPS = 10;

/** @param options.once false: stays until Ctrl-C. */
export async function playHere(steps: Steps, options: { readonly once: boolean }): Promise<void> {
  const noNode = whyNoNode();
  const tools = demoTools.filter((name) => noNode === undefined || !nodeTools.includes(name));
  steps.next('tools: pinned, built once from source, kept in your cache');
  if (missingTools(tools).length > 0) steps.detail(meanwhile(noNode));
  await ensureTools(tools, { log: (line) => steps.detail(line) });
  const onStep = (what: string): void => steps.next(what);
  const stage = await startStage({ withNode: noNode === undefined, onStep }, SECRET);
  try {
    if (noNode !== undefined) steps.next(`no node: ${noNode}. The pod's program will run on this host, by a stand-in`);
    await play(stage, steps);
    if (!options.once) await stay(stage, steps);
  } finally {
    steps.say('\nstopping what was started');
    await stage.stop();
  }
}

/** What one can do while the tools are built. */
function meanwhile(noNode: string | undefined): string {
  const { quiet } = minutesToBuild(demoTools);
  const pods = noNode === undefined ? '' : ' and with pods, which this machine cannot run by itself';
  return `Without waiting ${quiet} minutes${pods}: \`kind create cluster\`, and \`make demo\` again (two minutes).
Meanwhile, in another terminal:
- make test-unit                     the unit tests need none of these tools
- docs/getting-started.md            the same by hand, in a cluster of kind
- docs/architecture.md, samples/     how it works, and what one writes`;
}

async function play(stage: Stage, steps: Steps): Promise<void> {
  const cluster = new Cluster(stage.plane);
  const samples = await renderSamples(stage.plane, stage.vault);
  steps.next('samples/: policies');
  await applyPolicies(cluster, samples.policies);
  steps.next('samples/: workloads');
  const before = await cluster.fresh(withoutPolicies(samples.web));
  for (const manifest of samples.workloads) steps.detail(await cluster.apply(manifest));
  const after = (await cluster.get(NAMESPACE, WEB)).spec.template;
  steps.next('pods: vault-env logs in as their ServiceAccount, reads, and becomes the program');
  const line =
    stage.node === undefined
      ? await runOnHost(stage, after, NAMESPACE)
      : await firstLines(stage, cluster, samples.workloads, steps);
  if (stage.node === undefined)
    steps.detail(`without pods, the other programs are not seen: those of ${others(samples)}`);
  const backup = stage.node === undefined ? undefined : await backUp(stage, cluster, steps);
  steps.next('etcd: is the secret in it?');
  const [own, secret] = [
    filesHolding(stage.plane.etcdDir, 'vault:secret/data/shop/db#password'),
    filesHolding(stage.plane.etcdDir, SECRET.password),
  ];
  if (own === 0 || secret !== 0) throw new Error(`etcd: ${own} files hold the reference, ${secret} hold the secret`);
  steps.next('done');

  await workloadsAreCounted(cluster, samples.workloads);
  if (stage.node !== undefined) await noneHasCrashed(cluster);
  steps.heading(`What \`kubectl get vaultinjectionpolicies -n ${NAMESPACE}\` shows (-o wide shows more)`);
  steps.say(await cluster.kubectl('get', 'vaultinjectionpolicies', '-n', NAMESPACE));
  steps.heading(`What admission made of the pod template of deployment/${WEB}`);
  steps.say(unifiedDiff(before, after, { from: 'as applied', to: 'as stored' }));
  steps.heading(
    stage.node === undefined
      ? 'What the program printed, run on this host by the stand-in'
      : `What \`kubectl logs deployment/${WEB}\` shows`,
  );
  steps.say(line);
  if (backup !== undefined) {
    steps.heading(
      `What \`kubectl logs job/${BACKUP_JOB}\` shows, which \`kubectl create job --from=cronjob/backup\` has made`,
    );
    steps.say(backup);
  }
  for (const text of [line, backup])
    if (text?.includes(SECRET.password) === false) throw new Error('the program did not get the secret');
  steps.heading('Where the secret is');
  steps.say(
    `in Vault, and in the program's environment. Of the files of etcd ${own} hold the reference, ${secret} hold the secret.`,
  );
}

async function applyPolicies(cluster: Cluster, policies: readonly Manifest[]): Promise<void> {
  for (const manifest of policies) {
    if (manifest.kind === 'VaultInjectionPolicy') await cluster.policy(manifest);
    else await cluster.apply(manifest);
  }
}

/** The counts in statuses are up to ten seconds old. */
async function workloadsAreCounted(cluster: Cluster, manifests: readonly Manifest[]): Promise<void> {
  const wanted = manifests.filter(isWorkload).length;
  await eventually('the policies to count their workloads', async () => {
    const path = '{range .items[*]}{.status.workloads.injected}{" "}{end}';
    const counts = await cluster.kubectl('get', 'vip', '-n', NAMESPACE, '-o', `jsonpath=${path}`);
    const injected = counts.split(' ').reduce((sum, count) => sum + Number(count), 0);
    return injected >= wanted ? true : undefined;
  });
}

/** A container is available for a moment before it crashes. */
async function noneHasCrashed(cluster: Cluster): Promise<void> {
  const path = '{range .items[*].status.containerStatuses[*]}{.restartCount} {.name}{"\\n"}{end}';
  const lines = await cluster.kubectl('get', 'pods', '-n', NAMESPACE, '-o', `jsonpath=${path}`);
  const crashed = lines.split('\n').filter((line) => /^[1-9]/.test(line));
  if (crashed.length > 0) throw new Error(`containers have crashed: ${crashed.join(', ')}`);
}

/** The same workload in a namespace without policies: what the API server makes of it by itself. */
function withoutPolicies(web: Manifest): Manifest {
  return { ...web, metadata: { ...web.metadata, namespace: 'default' } };
}

/** Waits for the pods of all workloads, and resolves with what the program of `web` has printed. */
async function firstLines(
  stage: Stage,
  cluster: Cluster,
  workloads: readonly Manifest[],
  steps: Steps,
): Promise<string> {
  for (const workload of workloads) await isThere(cluster, workload, steps);
  return logOf(stage, cluster, `app.kubernetes.io/name=${WEB}`, WEB);
}

async function isThere(cluster: Cluster, workload: WorkloadManifest, steps: Steps): Promise<void> {
  const waiting = waitingFor(workload, NAMESPACE, 120);
  if (waiting === undefined) return;
  await cluster.kubectl(...waiting.args);
  steps.detail(waiting.then);
}

/** Runs the CronJob once, and resolves with what its program has printed. */
async function backUp(stage: Stage, cluster: Cluster, steps: Steps): Promise<string> {
  await cluster.kubectl(...runBackup(BACKUP_JOB));
  await isThere(cluster, { kind: 'Job', metadata: { name: BACKUP_JOB } }, steps);
  return logOf(stage, cluster, `batch.kubernetes.io/job-name=${BACKUP_JOB}`, 'dump');
}

async function logOf(stage: Stage, cluster: Cluster, label: string, container: string): Promise<string> {
  const name = 'jsonpath={.items[0].metadata.name}';
  const pod = (await cluster.kubectl('get', 'pods', '-n', NAMESPACE, '-l', label, '-o', name)).trim();
  const log = (): string => stage.node?.podLog(NAMESPACE, pod, container) ?? '';
  return eventually('the program to print', () => (log() === '' ? undefined : log().trim()), 60_000);
}

/** The workloads whose programs only pods show. */
function others({ workloads }: Samples): string {
  const rest = workloads.filter(({ kind, metadata }) => isWorkload({ kind }) && metadata.name !== WEB);
  return rest.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`).join(', ');
}

async function stay(stage: Stage, steps: Steps): Promise<void> {
  const { kubectl, vault } = await ensureTools(['kubectl', 'vault']);
  const ca = join(stage.plane.dir, 'vault-ca.crt');
  writeFileSync(ca, stage.vault.caPem);
  steps.heading('It is all still running. Commands to copy, in another terminal:');
  steps.say(
    howToGoOn({
      kubectl: 'kubectl',
      // OpenBao will do, whose program is bao
      vault: basename(vault.path),
      first: [
        `export PATH=${[...new Set([kubectl, vault].map(({ path }) => dirname(path)))].join(delimiter)}:$PATH`,
        `export KUBECONFIG=${stage.plane.kubeconfig}`,
        `export VAULT_ADDR=${stage.vault.tlsAddress} VAULT_CACERT=${ca} VAULT_TOKEN=${stage.vault.token}`,
      ],
      aboutVault: [
        `is at ${stage.vault.tlsAddress}, with the root token "${stage.vault.token}". It forgets everything at the end.`,
      ],
      pods: stage.node !== undefined,
      end: ['Ctrl-C ends it and takes everything away.'],
    }),
  );
  await untilStopped();
}
