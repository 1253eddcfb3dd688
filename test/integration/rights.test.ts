/**
 * The operator with exactly the rights of config/rbac, on an API server that notes what it asks for. It walks through
 * every feature that needs a right, and then no request was refused, and no right was left over.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';

import { watchedKinds } from '../../core/kinds.ts';
import { readRights } from '../../build/generate/rights.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { installDefault } from '../support/installed.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { pretendKubelet, type PretendedKubelet } from '../support/pretended-kubelet.ts';
import { rightsAudit, rightsUsed, type Right } from '../support/rights-used.ts';
import { runUninstall } from '../support/uninstall.ts';
import { OPERATOR } from '../support/vault.ts';
import { Cluster } from './cluster.ts';
import { container, deployment, policy, type Workload } from './manifests.ts';
import { workload, type WorkloadKind } from './workload-manifests.ts';

const USER = `system:serviceaccount:${OPERATOR.namespace}:${OPERATOR.name}`;
const CONFIGURATION = ['mutatingwebhookconfiguration', 'vault-injection-operator'];
const SECRET = ['secret', 'vault-injection-operator-webhook', '-n', OPERATOR.namespace];

const WATCHED = watchedKinds() as readonly WorkloadKind[];
/** Those beside Deployment and StatefulSet. */
const OTHER_KINDS = WATCHED.slice(2);

/** What the walk does not use, with the reason. */
const UNUSED: Readonly<Record<string, string>> = {};

describe('the rights of config/rbac', function () {
  this.timeout(180_000);
  let dir: string;
  let log: string;
  let kubeconfig: string;
  let plane: ControlPlane;
  let cluster: Cluster;
  let registry: Server;
  let operator: RunningOperator;
  let start: () => Promise<RunningOperator>;
  let kubelet: PretendedKubelet | undefined;

  before(async function () {
    this.timeout(BUILDING_MS);
    dir = mkdtempSync(join(tmpdir(), 'rights-'));
    log = join(dir, 'audit.log');
    plane = await startControlPlane({ apiServerArgs: rightsAudit(dir, log, USER) });
    cluster = new Cluster(plane);
    kubeconfig = await installDefault(plane, 'operator');
    registry = createServer((_, response) => {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="registry"' }).end();
    }).listen(0, '127.0.0.1');
    await once(registry, 'listening');
    const identities = join(dir, 'identities.yaml');
    writeFileSync(identities, '[{ name: main, address: "https://127.0.0.1:1", paths: [secret/data/*] }]');
    const host = `127.0.0.1:${(registry.address() as AddressInfo).port}`;
    start = () =>
      startOperator({
        controlPlane: { kubeconfig, kubectlOk: (args, stdin) => plane.kubectlOk(args, stdin) },
        service: OPERATOR.name,
        flags: ['--registries', host, '--registry-plain-http', host, '--vault-identities', identities],
      });
  });
  after(async () => {
    registry.close();
    await kubelet?.stop();
    await operator.stop();
    await plane.stop();
    rmSync(dir, { recursive: true });
  });

  const status = async (path: string): Promise<string> =>
    cluster.kubectl('get', 'vip', 'shop', '-n', 'shop', '-o', `jsonpath={.status.${path}}`);
  const isInjected = (kind: string, name: string): Promise<true> =>
    eventually(
      `${kind} ${name} to be injected`,
      async () =>
        JSON.stringify((await cluster.get('shop', name, kind)).spec).includes('VAULT_ENV_CONFIG') || undefined,
    );

  const asStatefulSet = (manifest: Workload): object => ({
    ...manifest,
    kind: 'StatefulSet',
    spec: { ...manifest.spec, serviceName: 'none' },
  });
  const fromConfigMap = (name: string): Workload => {
    const envFrom = [{ configMapRef: { name: 'settings' } }];
    return deployment('shop', name, [{ ...container('app', { env: [] }), ...{ envFrom } }]);
  };

  /** One workload alone is fetched again, where many are listed. */
  async function changedMap(kind: WorkloadKind): Promise<void> {
    const name = `settings-${kind.toLowerCase()}`;
    await cluster.kubectl('create', 'configmap', name, '-n', 'shop', '--from-literal=KEY=vault:secret/data/a#b');
    const containers = [{ ...container('app', { env: [] }), ...{ envFrom: [{ configMapRef: { name } }] } }];
    await cluster.apply(workload(kind, { name, namespace: 'shop', containers }));
    await isInjected(kind.toLowerCase(), name);
    const data = { KEY: 'vault:secret/data/a#c' };
    await cluster.kubectl('patch', 'configmap', name, '-n', 'shop', '-p', JSON.stringify({ data }));
  }

  it('are enough for every feature: the API server allows all requests', async () => {
    operator = await start();
    await cluster.namespace('shop');
    await cluster.kubectl('create', 'configmap', 'settings', '-n', 'shop', '--from-literal=KEY=vault:secret/data/a#b');
    // missed: created before the policy
    await cluster.apply(deployment('shop', 'missed'));
    await cluster.apply(asStatefulSet(deployment('shop', 'missed-set')));
    for (const kind of OTHER_KINDS) await cluster.apply(workload(kind, { name: 'missed-other', namespace: 'shop' }));
    await cluster.apply(
      deployment('shop', 'denied', [container('app', { env: [{ name: 'KEY', value: 'vault:no#b' }] })]),
    );
    const spec = {
      vault: { address: 'https://127.0.0.1:1', timeout: '1s' },
      environment: { allowedPaths: ['secret/data/*'] },
      rollout: { strategy: 'Automatic', maxConcurrent: 10 },
      rotation: { strategy: 'Restart', interval: '5s' },
      targets: WATCHED,
    };
    await cluster.apply(policy('shop', 'shop', spec));
    await cluster.policyIs('shop', 'shop', 'Programmed', 'True');
    for (const kind of ['deployment', 'statefulset'])
      await isInjected(kind, kind === 'deployment' ? 'missed' : 'missed-set');
    for (const kind of OTHER_KINDS.filter((one) => one !== 'Job')) await isInjected(kind.toLowerCase(), 'missed-other');

    // its pods start, so that versions of what it reads are asked for
    const runs = deployment('shop', 'runs');
    runs.spec.replicas = 1;
    await cluster.apply(runs);
    kubelet = pretendKubelet(plane, 'shop');

    // references in a ConfigMap, which changes: what refers to it is judged again
    await cluster.apply(fromConfigMap('from-map'));
    await cluster.apply(asStatefulSet(fromConfigMap('from-map-set')));
    for (const kind of OTHER_KINDS) await changedMap(kind);
    await isInjected('deployment', 'from-map');
    await isInjected('statefulset', 'from-map-set');
    await cluster.kubectl(
      'patch',
      'configmap',
      'settings',
      '-n',
      'shop',
      '-p',
      '{"data":{"KEY":"vault:secret/data/a#c"}}',
    );

    // an image whose registry wants credentials
    const closed = container('app', { image: `127.0.0.1:${(registry.address() as AddressInfo).port}/closed:1` });
    delete closed.command;
    await cluster.apply(deployment('shop', 'closed', [closed])).catch(() => undefined);

    // a denial, which the status notes
    const refused = deployment('shop', 'refused', [container('app', { env: [{ name: 'KEY', value: 'vault:no#b' }] })]);
    const refusal = await cluster.apply(refused).catch((error: unknown) => (error as Error).message);
    expect(refusal).to.contain('denied');
    await eventually('lastDenial', async () => (await status('lastDenial.name')) === 'refused' || undefined);

    // another generation: its last good rule takes the place of the one before
    await cluster.apply(policy('shop', 'shop', { ...spec, failurePolicy: 'Ignore' }));
    await cluster.policyIs('shop', 'shop', 'Programmed', 'True');
    await eventually('one revision of generation 2', async () => {
      const names = await cluster.kubectl('get', 'controllerrevisions', '-n', 'shop', '-o', 'name');
      return names.includes('vaultinjectionpolicy-2-') && !names.includes('vaultinjectionpolicy-1-') ? true : undefined;
    });

    // a platform adds a term about labels, and somebody an entry of ours that there should not be
    const { webhooks } = JSON.parse(await cluster.kubectl('get', ...CONFIGURATION, '-o', 'json')) as {
      webhooks: { name: string; namespaceSelector: { matchExpressions: object[] } }[];
    };
    const changed = webhooks.map((entry) => {
      const added = { key: 'control-plane', operator: 'NotIn', values: ['true'] };
      const matchExpressions = [...entry.namespaceSelector.matchExpressions, added];
      return { ...entry, namespaceSelector: { matchExpressions } };
    });
    const alien = changed.map((entry) => ({ ...entry, name: 'fail.vaultinjection.dev' })).slice(0, 1);
    const patch = JSON.stringify({ webhooks: [...changed, ...alien] });
    await cluster.kubectl('patch', ...CONFIGURATION, '--type=merge', '-p', patch);
    await eventually('the entry to be gone', async () => {
      const names = await cluster.kubectl('get', ...CONFIGURATION, '-o', 'jsonpath={.webhooks[*].name}');
      return names.includes('fail.') ? undefined : true;
    });
    await cluster.policyIs('shop', 'shop', 'Programmed', 'True');

    // what it owns is created again, also by another process, which tells the same Events
    await cluster.kubectl('delete', ...SECRET);
    await cluster.kubectl('delete', ...CONFIGURATION);
    await eventually('both to be back', async () => {
      const found = [await plane.kubectl(['get', ...SECRET]), await plane.kubectl(['get', ...CONFIGURATION])];
      return found.every(({ code }) => code === 0) ? true : undefined;
    });
    await operator.terminate();
    operator = await start();
    await cluster.policyIs('shop', 'shop', 'Programmed', 'True');

    // and it is removed
    expect(await runUninstall(kubeconfig)).to.include({ status: 0 });
    await eventually('nothing to be left over', () => (leftOver().length === 0 ? true : undefined), 60_000).catch(
      () => undefined,
    );
    expect(rightsUsed(log).forbidden).to.deep.equal([]);
  });

  /** The rights that no request has used. */
  function leftOver(): readonly string[] {
    const { allowed } = rightsUsed(log);
    return granted()
      .filter((right) => !allowed.some((used) => covers(right, used)))
      .map(({ verb, resource, group, name }) =>
        [verb, [resource, group].filter(Boolean).join('.'), name].join(' ').trim(),
      )
      .filter((text) => !Object.hasOwn(UNUSED, text));
  }

  it('are all used: none is left over', () => {
    expect(leftOver()).to.deep.equal([]);
  });
});

function granted(): readonly Right[] {
  return readRights().flatMap(({ namespace = '', groups, resources, names, verbs }) =>
    groups.flatMap((group) =>
      resources.flatMap((resource) =>
        (names.length === 0 ? [''] : names).flatMap((name) =>
          verbs.map((verb) => ({ verb, group, resource, namespace, name })),
        ),
      ),
    ),
  );
}

function covers(right: Right, used: Right): boolean {
  return (['verb', 'group', 'resource', 'namespace', 'name'] as const).every(
    (key) => right[key] === used[key] || (right[key] === '' && (key === 'namespace' || key === 'name')),
  );
}
