/**
 * `make demo`: everything on this machine, from nothing. Ten steps, each with one line before it, then what there is to
 * see. With --once it ends by itself; else it stays until Ctrl-C, so that one can try kubectl on it.
 */
import { parseArgs } from 'node:util';

import { Cluster } from '../integration/cluster.ts';
import { whyNoNode } from '../support/node.ts';
import { eventually } from '../support/operator.ts';
import { filesHolding, startStage, type Stage } from '../support/stage.ts';
import { demoTools } from '../../build/tools/table.ts';
import { ensureTools } from '../../build/tools/tools.ts';
import { runOnHost } from './host-stand-in.ts';
import { renderSamples, type Manifest } from './samples.ts';
import { unifiedDiff } from './diff.ts';

const STEPS = 10;
const NAMESPACE = 'shop';
// a demo secret: shown on purpose, and searched for in etcd
const SECRET = { username: 'shop', password: `demo-${Math.random().toString(36).slice(2, 12)}` };
const WEB = 'web';

const { values: options } = parseArgs({ options: { once: { type: 'boolean', default: false } } });

let step = 0;
const started = Date.now();
const say = (text = ''): void => console.log(text);
function next(what: string): void {
  step += 1;
  const seconds = String(Math.round((Date.now() - started) / 1000)).padStart(3);
  say(`[${String(step).padStart(2)}/${STEPS}] ${seconds} s  ${what}`);
}

async function main(): Promise<void> {
  next('tools: pinned, built once from source, kept in your cache (about 20 minutes the first time on two cores)');
  await ensureTools(demoTools, { log: (line) => say(`              ${line}`) });
  const noNode = whyNoNode();
  const stage = await startStage({ withNode: noNode === undefined, onStep: next }, SECRET);
  try {
    if (noNode !== undefined) next(`no node: ${noNode}. The pod's program will run on this host, by a stand-in`);
    await play(stage);
    if (!options.once) await stay(stage);
  } finally {
    say('\nstopping what was started');
    await stage.stop();
  }
}

async function play(stage: Stage): Promise<void> {
  const cluster = new Cluster(stage.plane);
  const samples = await renderSamples(stage.plane, stage.vault);
  next('samples/: policies');
  await applyPolicies(cluster, samples.policies);
  next('samples/: workloads');
  const before = await cluster.fresh(withoutPolicies(samples.web));
  for (const manifest of samples.workloads) say(indent((await cluster.apply(manifest)).trim()));
  const after = (await cluster.get(NAMESPACE, WEB)).spec.template;
  next('pods: vault-env logs in as their ServiceAccount, reads, and becomes the program');
  const line = stage.node === undefined ? await runOnHost(stage, after, NAMESPACE) : await firstLines(stage, cluster);
  next('etcd: is the secret in it?');
  const [own, secret] = [
    filesHolding(stage.plane.etcdDir, 'vault:secret/data/shop/db#password'),
    filesHolding(stage.plane.etcdDir, SECRET.password),
  ];
  if (own === 0 || secret !== 0) throw new Error(`etcd: ${own} files hold the reference, ${secret} hold the secret`);
  next('done');

  await workloadsAreCounted(cluster, samples.workloads);
  if (stage.node !== undefined) await noneHasCrashed(cluster);
  heading(`What \`kubectl get vaultinjectionpolicies -n ${NAMESPACE}\` shows (-o wide shows more)`);
  say(await cluster.kubectl('get', 'vaultinjectionpolicies', '-n', NAMESPACE));
  heading(`What admission made of the pod template of deployment/${WEB}`);
  say(unifiedDiff(before, after, { from: 'as applied', to: 'as stored' }));
  heading(
    stage.node === undefined
      ? 'What the program printed, run on this host by the stand-in'
      : `What \`kubectl logs deployment/${WEB}\` shows`,
  );
  say(line);
  if (!line.includes(SECRET.password)) throw new Error('the program did not get the secret');
  heading('Where the secret is');
  say(
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
  const wanted = manifests.filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet').length;
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

async function firstLines(stage: Stage, cluster: Cluster): Promise<string> {
  const names = await cluster.kubectl('get', 'deployments,statefulsets', '-n', NAMESPACE, '-o', 'name');
  for (const name of names.trim().split('\n')) {
    await cluster.kubectl('rollout', 'status', name, '-n', NAMESPACE, '--timeout=120s');
    say(indent(`${name} is running`));
  }
  const pod = (
    await cluster.kubectl(
      'get',
      'pods',
      '-n',
      NAMESPACE,
      '-l',
      `app.kubernetes.io/name=${WEB}`,
      '-o',
      'jsonpath={.items[0].metadata.name}',
    )
  ).trim();
  const log = (): string => stage.node?.podLog(NAMESPACE, pod, WEB) ?? '';
  return eventually('the program to print', () => (log() === '' ? undefined : log().trim()), 60_000);
}

async function stay(stage: Stage): Promise<void> {
  heading('It is all still running. In another terminal:');
  say(`  export KUBECONFIG=${stage.plane.kubeconfig}`);
  say(`  kubectl get vip -A; kubectl -n ${NAMESPACE} get deployment ${WEB} -o yaml`);
  say('Ctrl-C ends it and takes everything away.');
  await new Promise<void>((resolve) => {
    const alive = setInterval(() => undefined, 60_000);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        clearInterval(alive);
        resolve();
      });
    }
  });
}

function heading(text: string): void {
  say(`\n${text}\n${'-'.repeat(text.length)}`);
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `              ${line}`)
    .join('\n');
}

await main();
