/** The demo in a cluster that is there already: kind, minikube, or one that was named. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

import { architecturesOf, buildArchives, imageNames } from './demo-images.ts';
import { unifiedDiff } from './diff.ts';
import { howToGoOn } from './how-to-go-on.ts';
import { installWithHelm, installWithKubectl } from './install-operator.ts';
import { howToGetImages, loadCommands, type ImageSource } from './load-images.ts';
import { lookAt, whatIsInTheWay } from './look-at-cluster.ts';
import { removeDemo, SYSTEM } from './remove.ts';
import type { Steps } from './steps.ts';
import { labelled, type TrialCluster } from './trial-cluster.ts';
import { DEMO_SECRETS, prepareVault, ROOT_TOKEN } from './vault-in-cluster.ts';
import { BACKUP_JOB, belongsToWorkloads, isWorkload, runBackup, waitingFor } from './workloads.ts';

const SAMPLES = join(import.meta.dirname, '../../samples');
const SHOP = 'shop';
export const STEPS = 8;

export interface ClusterDemo {
  readonly cluster: TrialCluster;
  readonly images: ImageSource & { readonly prefix: string };
  readonly steps: Steps;
  /** Whether a plain kubectl uses this cluster. */
  readonly isCurrent: boolean;
  /** The demo takes itself away at the end, so it says nothing of how to go on. */
  readonly once: boolean;
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** The cluster or the way of its images is not as the demo needs it; nothing was changed. */
export class NotHere extends Error {}

/** Plays all of it. Rejects with NotHere before it has changed anything; with another error it may have changed something. */
export async function playInCluster(demo: ClusterDemo): Promise<void> {
  const { cluster, steps } = demo;
  steps.next(`the cluster of context ${cluster.context}`);
  const seen = await lookAt(cluster).catch((error: unknown) => {
    throw new NotHere(
      `The cluster of context ${cluster.context} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
    );
  });
  const obstacle = whatIsInTheWay(seen, cluster.context);
  if (obstacle !== undefined) throw new NotHere(obstacle);
  const archived = loadCommands(demo.images, ['-']) !== undefined;
  if (!archived && demo.images.prefix === '') throw new NotHere(howToGetImages(cluster.context));
  const withHelm = await cluster.hasHelm();
  announce(demo, seen.version, withHelm, seen.hasCrd);
  if (seen.ofDemo.length > 0) {
    steps.detail('An earlier demo is still here. It is removed first:');
    await removeDemo(cluster, (line) => steps.detail(line));
  }
  const withCrd = seen.ofDemo.length > 0 ? !(await lookAt(cluster)).hasCrd : !seen.hasCrd;

  steps.next('Vault in development mode: its pod starts while the images are built');
  await cluster.apply([labelled({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: SYSTEM } })]);
  await cluster.apply(manifestsOf(readFileSync(join(SAMPLES, 'quick-start/vault.yaml'), 'utf8')));
  const images = imageNames(demo.images.prefix);
  steps.next(archived ? 'images: built here, and loaded onto the nodes' : `images: those at ${demo.images.prefix}`);
  if (archived) await provideImages(demo, architecturesOf(seen.architectures));
  steps.next(`the operator, with ${withHelm ? 'helm' : 'kubectl, because there is no helm'}`);
  await (withHelm ? installWithHelm : installWithKubectl)(cluster, images, withCrd);
  steps.next('Vault: auth method, secrets, policy and role');
  await prepareVault(cluster);
  await applySamples(demo);
}

function announce(demo: ClusterDemo, version: string, withHelm: boolean, hasCrd: boolean): void {
  const { steps } = demo;
  steps.detail(`Kubernetes ${version}. This is made there, with ${withHelm ? 'kubectl and helm' : 'kubectl'}, and nothing else is changed:
- the namespaces vault (a Vault that forgets everything), ${SYSTEM} (the operator) and ${SHOP} (programs)
- for the whole cluster: ${hasCrd ? '' : 'a CRD, '}a webhook configuration, admission policies and roles
${demo.once ? 'All of it is removed at the end.' : `\`${cleanCommand(demo)}\` removes it, and so does Ctrl-C before the end.`}`);
  if (hasCrd) steps.detail('The CRD is there already: it is used as it is, and stays.');
}

const cleanCommand = ({ cluster, isCurrent }: ClusterDemo): string =>
  isCurrent ? 'make demo-clean' : `make demo-clean CONTEXT=${cluster.context}`;

function manifestsOf(yaml: string): Manifest[] {
  return parseAllDocuments(yaml).map((document) => document.toJS() as Manifest);
}

async function provideImages(demo: ClusterDemo, architectures: ReturnType<typeof architecturesOf>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'vault-injection-demo-'));
  try {
    const archives = await buildArchives(imageNames(demo.images.prefix), architectures, folder, (program) =>
      demo.cluster.program(process.execPath, [program]),
    );
    for (const [program, ...args] of loadCommands(demo.images, archives) ?? []) {
      demo.steps.detail([program, ...args].join(' '));
      await demo.cluster.program(program, args);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function applySamples(demo: ClusterDemo): Promise<void> {
  const { cluster, steps } = demo;
  const samples = manifestsOf(await cluster.kubectl('kustomize', join(SAMPLES, 'demo/in-cluster')));
  const workloads = samples.filter(belongsToWorkloads);
  const rest = samples.filter((one) => !belongsToWorkloads(one));
  const web = workloads.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'web');
  if (web === undefined) throw new Error('samples/demo has no Deployment named web');

  steps.next('samples/: policies');
  await cluster.apply(rest);
  await cluster.kubectl(
    'wait',
    '-n',
    SHOP,
    'vaultinjectionpolicies',
    '--all',
    '--for=condition=Ready',
    '--timeout=300s',
  );
  const before = await templateWithoutPolicies(cluster, web);
  steps.next('samples/: workloads');
  steps.detail((await cluster.apply(workloads)).all);
  for (const workload of workloads) {
    const waiting = waitingFor(workload, SHOP, 300);
    if (waiting === undefined) continue;
    await cluster.kubectl(...waiting.args);
    steps.detail(waiting.then);
  }
  await workloadsAreCounted(cluster, workloads.filter(isWorkload).length);
  await show(demo, before, await backUp(demo));
}

/** Two policies have a workload each, and the policy shop has the others. Counts in statuses are up to ten seconds old. */
async function workloadsAreCounted(cluster: TrialCluster, workloads: number): Promise<void> {
  const counts = { database: 1, 'self-service': 1, shop: workloads - 2 };
  for (const [policy, count] of Object.entries(counts)) {
    const counted = [`--for=jsonpath={.status.workloads.injected}=${count}`, '--timeout=60s'];
    await cluster.kubectl('wait', '-n', SHOP, `vaultinjectionpolicies/${policy}`, ...counted);
  }
}

/** Runs the CronJob once, and resolves with what its program has printed. */
async function backUp({ cluster, steps }: ClusterDemo): Promise<string> {
  await cluster.kubectl(...runBackup(BACKUP_JOB));
  const job = { kind: 'Job', metadata: { name: BACKUP_JOB } };
  const waiting = waitingFor(job, SHOP, 300);
  if (waiting !== undefined) await cluster.kubectl(...waiting.args);
  steps.detail(`cronjob/backup has run, as job/${BACKUP_JOB}`);
  return cluster.kubectl('logs', '-n', SHOP, `job/${BACKUP_JOB}`);
}

async function templateWithoutPolicies(cluster: TrialCluster, web: Manifest): Promise<object> {
  // under a name that nobody has there
  const elsewhere = { ...web, metadata: { ...web.metadata, namespace: 'default', name: 'web-without-policies' } };
  const args = ['create', '--dry-run=server', '-o', 'json', '-f', '-'];
  return template((await cluster.kubectlWith(JSON.stringify(elsewhere), ...args)).stdout);
}

const template = (json: string): object => (JSON.parse(json) as { spec: { template: object } }).spec.template;

async function show(demo: ClusterDemo, before: object, backup: string): Promise<void> {
  const { cluster, steps, isCurrent, once } = demo;
  const after = template(await cluster.kubectl('get', 'deployment', 'web', '-n', SHOP, '-o', 'json'));
  const printed = await cluster.kubectl('logs', '-n', SHOP, 'deployment/web');
  const inPod = await cluster.kubectl('exec', '-n', SHOP, 'deployment/web', '--', 'env');
  for (const text of [printed, backup])
    if (!text.includes(DEMO_SECRETS.db.password)) throw new Error(`the program did not get the secret:\n${text}`);
  steps.next(`done, with ${cluster.commands} commands`);

  steps.heading(`What \`kubectl get vaultinjectionpolicies -n ${SHOP}\` shows (-o wide shows more)`);
  steps.say(await cluster.kubectl('get', 'vaultinjectionpolicies', '-n', SHOP));
  steps.heading('What admission made of the pod template of deployment/web');
  steps.say(unifiedDiff(before, after, { from: 'as applied', to: 'as stored' }));
  steps.heading('What `kubectl logs deployment/web` shows');
  steps.say(printed.trim());
  steps.heading(
    `What \`kubectl logs job/${BACKUP_JOB}\` shows, which \`kubectl create job --from=cronjob/backup\` has made`,
  );
  steps.say(backup.trim());
  steps.heading('What another process in the same container sees: `kubectl exec deployment/web -- env`');
  steps.say(inPod.split('\n').find((line) => line.startsWith('DB_PASSWORD=')));
  if (once) return;
  const kubectl = isCurrent ? 'kubectl' : `kubectl --context ${cluster.context}`;
  steps.heading('It is all still running. Commands to copy:');
  steps.say(
    howToGoOn({
      kubectl,
      vault: `${kubectl} exec -n vault deployment/vault -- vault`,
      first: [],
      aboutVault: [
        `is at http://vault.vault.svc:8200 in the cluster, with the root token "${ROOT_TOKEN}". From here, after the first line:`,
        `  ${kubectl} port-forward -n vault service/vault 8200`,
        `  export VAULT_ADDR=http://127.0.0.1:8200 VAULT_TOKEN=${ROOT_TOKEN}`,
      ],
      pods: true,
      end: ['To remove it from the cluster:', `  ${cleanCommand(demo)}`],
    }),
  );
}
