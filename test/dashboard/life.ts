/** What happens in the cluster while the picture is taken: ordinary days and bad ones, in five minutes. */
import { request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

import { WRITTEN } from '../../core/injection/budget.ts';
import { container, deployment, policy, type Container, type Workload } from '../integration/manifests.ts';
import { webhookPath } from '../support/webhook-path.ts';
import { writeSecret } from '../support/vault.ts';
import { bare, LENIENT, REPLICAS, SECRET, SHOP, type Setting } from './setting.ts';

const PACE_MS = 400;
/** An unusable policy: a certificate by its looks alone, as the schema of the CRD sees it. */
const BROKEN_CA = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
/** Containers, more than are reviewed. */
const TOO_MANY = WRITTEN.containers + 1;
const CONFIGURATION = ['mutatingwebhookconfiguration', 'vault-injection-operator'];

/**
 * Lets people live in the cluster for five minutes.
 * @param moved called when the replicas are others
 */
export async function live(setting: Setting, moved: () => void, tell: (line: string) => void): Promise<void> {
  const ending = new AbortController();
  const ordinary = repeat(PACE_MS, ending.signal, ordinaryDay(setting));
  try {
    await badDays(setting, moved, tell);
  } finally {
    ending.abort();
    await ordinary;
  }
}

/** What people do all the time, one thing with each call. */
function ordinaryDay({ api, images }: Setting): () => Promise<unknown> {
  const review = (namespace: string, containers: Container[], changes: Partial<Workload['metadata']> = {}) => {
    const manifest = deployment(namespace, `app-${(count += 1)}`, containers);
    const object = { ...manifest, metadata: { ...manifest.metadata, ...changes } };
    return api.create(`/apis/apps/v1/namespaces/${namespace}/deployments?dryRun=All`, object);
  };
  const annotate = (name: string) =>
    api.patch(`/apis/apps/v1/namespaces/${SHOP}/deployments/${name}`, {
      metadata: { annotations: { 'example.com/changed': `${(count += 1)}` } },
    });
  const injected = () => review(SHOP, [container()]);
  const things: readonly (() => Promise<unknown>)[] = [
    injected,
    () => annotate('web'),
    () => review(LENIENT, [container()]),
    injected,
    () => review(SHOP, [bare(images.known)]),
    () => review(SHOP, [container()], { annotations: { 'vaultinjection.dev/inject': 'false' } }),
    () => annotate('cart'),
    injected,
    () => review(SHOP, [{ ...container(), ...{ envFrom: [{ configMapRef: { name: 'settings' } }] } }]),
    () => review(SHOP, [container('app', { env: [{ name: 'KEY', value: 'vault:secret/data/bank/key#value' }] })]),
    () => review(LENIENT, [bare(images.elsewhere)]),
    injected,
    () => review(SHOP, [bare(images.unknown)]),
    () => annotate('search'),
    () =>
      review(
        LENIENT,
        Array.from({ length: TOO_MANY }, (_, index) => container(`c-${index}`)),
      ),
    () => review(SHOP, [{ ...container(), ...{ envFrom: [{ configMapRef: { name: 'missing' } }] } }]),
  ];
  let count = 0;
  let turn = 0;
  return () => things[(turn += 1) % things.length]?.() ?? Promise.resolve();
}

/** What goes wrong, one thing after the other. */
async function badDays(setting: Setting, moved: () => void, tell: (line: string) => void): Promise<void> {
  const { cluster, api, plane, vault, replicas, images } = setting;
  await sleep(30_000);
  tell('the password is changed: five workloads restart');
  await writeSecret(vault, SECRET, { password: 'another' });
  await sleep(35_000);
  tell('somebody changes the webhook configuration again and again');
  const change = JSON.stringify([{ op: 'replace', path: '/webhooks/0/timeoutSeconds', value: 7 }]);
  for (let edits = 0; edits < 7; edits += 1) {
    await cluster.kubectl('patch', ...CONFIGURATION, '--type=json', '-p', change);
    await sleep(3_000);
  }
  tell('a policy comes with a certificate that is none');
  await cluster.namespace('garage');
  await cluster.apply(
    policy('garage', 'garage', {
      vault: { address: 'https://vault.example.com:8200', auth: { role: 'garage' }, tls: { caBundle: BROKEN_CA } },
    }),
  );
  for (let tries = 0; tries < 12; tries += 1) {
    await quietly(api.create('/apis/apps/v1/namespaces/garage/deployments', deployment('garage', `car-${tries}`)));
    await sleep(2_000);
  }
  await cluster.kubectl('delete', 'vip', 'garage', '-n', 'garage');
  tell('strangers at the port');
  const path = await webhookPath(plane, 'fail');
  for (let visits = 0; visits < 40; visits += 1) {
    await visit(replicas.balancer.port, visits % 2 === 0 ? path : '/', 'no review');
    await sleep(400);
  }
  tell('a registry says nothing');
  await Promise.all(
    Array.from({ length: 12 }, async (_, index) => {
      await sleep(index * 1_500);
      const slow = deployment(LENIENT, `slow-${index}`, [bare(`${images.silent}:${index}`)]);
      await quietly(api.create(`/apis/apps/v1/namespaces/${LENIENT}/deployments?dryRun=All`, slow));
    }),
  );
  await sleep(20_000);
  tell('both replicas are killed');
  await Promise.all([...replicas.replicas].map((replica) => replicas.kill(replica)));
  moved();
  for (let tries = 0; tries < 10; tries += 1) {
    await quietly(
      api.create(`/apis/apps/v1/namespaces/${LENIENT}/deployments`, deployment(LENIENT, `missed-${tries}`)),
    );
    await sleep(2_000);
  }
  tell('they come back');
  for (let count = 0; count < REPLICAS; count += 1) {
    await replicas.start();
    moved();
  }
  await sleep(50_000);
}

async function repeat(paceMs: number, signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
  while (!signal.aborted) {
    await quietly(work());
    await sleep(paceMs);
  }
}

/** For what may be refused: that is what is to be seen. */
async function quietly(work: Promise<unknown>): Promise<void> {
  await work.catch(() => undefined);
}

/** Posts something to the webhook, as nobody that it knows. */
function visit(port: number, path: string, body: string): Promise<void> {
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, path, method: 'POST', rejectUnauthorized: false, agent: false } as const;
    const headers = { 'content-type': 'application/json' };
    const call = request({ ...options, headers }, (response) => {
      response.resume().on('close', resolve);
    });
    call.on('error', () => resolve());
    call.end(body);
  });
}
