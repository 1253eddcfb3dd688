import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import { stringify } from 'yaml';

import { apiVersionOf, WORKLOAD_KINDS } from '../../core/kinds.ts';
import type { WorkloadKind } from '../../core/kinds.ts';
import type { Cluster, LiveTemplate } from '../integration/cluster.ts';
import { policy } from '../integration/manifests.ts';
import { openHelm, type Helm } from '../support/helm.ts';
import { skipWithoutNode } from '../support/node.ts';
import { eventually } from '../support/operator.ts';
import type { Stage } from '../support/stage.ts';
import { openShop, workload, type Pods } from './pods.ts';

const SECRET = { username: 'shop', password: `pass-${Math.random().toString(36).slice(2)}-word` };
const NAMESPACE = 'shop';
const SAID = `PASSWORD=${SECRET.password}`;
const PROGRAM = ['/probe', '--', 'PASSWORD'];
const WAITS = ['/probe', '-wait', '--', 'PASSWORD'];

describe('every kind on a real kubelet', function () {
  this.timeout(240_000);
  let stage: Stage;
  let cluster: Cluster;
  let pods: Pods;

  before(async function () {
    skipWithoutNode(this);
    ({ stage, cluster, pods } = await openShop(SECRET, NAMESPACE));
    await cluster.policy(all());
    // its first run is up to a minute away
    await cluster.apply(manifestOf('CronJob', 'often', PROGRAM, '* * * * *'));
  });
  after(async () => {
    // before() may have skipped
    await (stage as Stage | undefined)?.stop();
  });

  function all(spec: Record<string, unknown> = {}, name = 'all'): Record<string, unknown> {
    const tls = { caBundle: stage.vault.caPem };
    const vault = { address: stage.vault.tlsAddress, tls, auth: { role: 'shop' } };
    return policy(NAMESPACE, name, {
      vault,
      targets: WORKLOAD_KINDS,
      injector: { imagePullPolicy: 'Never' },
      ...spec,
    });
  }

  function manifestOf(
    kind: WorkloadKind,
    app: string,
    command: readonly string[],
    schedule = '0 0 1 1 *',
    metadata: Record<string, unknown> = {},
  ): Record<string, unknown> {
    const program = { image: 'localhost/probe:1', command };
    const like = workload(NAMESPACE, app, 'all', program, { PASSWORD: 'vault:secret/data/shop/db#password' });
    const { spec } = like as { spec: { selector: unknown; template: LiveTemplate } };
    const { selector } = spec;
    const isRunOnce = kind === 'Job' || kind === 'CronJob';
    const template = {
      ...spec.template,
      spec: { ...spec.template.spec, ...(isRunOnce && { restartPolicy: 'Never' }) },
    };
    const specs: Record<WorkloadKind, unknown> = {
      Deployment: { replicas: 1, selector, template },
      StatefulSet: { replicas: 1, serviceName: app, selector, template },
      DaemonSet: { selector, template },
      CronJob: { schedule, jobTemplate: { spec: { template } } },
      Job: { template },
      ReplicaSet: { replicas: 1, selector, template },
      ReplicationController: { replicas: 1, selector: { app }, template },
      Pod: template.spec,
    };
    const labels = kind === 'Pod' ? template.metadata.labels : { app };
    return {
      apiVersion: apiVersionOf(kind),
      kind,
      metadata: { name: app, namespace: NAMESPACE, labels, ...metadata },
      spec: specs[kind],
    };
  }

  /** Waits until each of the pods of `app` has said it, at least `count` of them. */
  async function allSay(app: string, count: number): Promise<void> {
    await eventually(
      `${count} pods of ${app} to say it`,
      async () => {
        const list = await cluster.kubectl('get', 'pods', '-n', NAMESPACE, '-l', `app=${app}`, '-o', 'name');
        const names = list
          .split('\n')
          .filter(Boolean)
          .map((name) => name.replace('pod/', ''));
        const silent = names.filter((name) => !pods.log(name).includes(SAID));
        return names.length >= count && silent.length === 0 ? true : undefined;
      },
      120_000,
    );
  }

  for (const kind of WORKLOAD_KINDS.filter((one) => one !== 'CronJob'))
    it(`starts with its secret: a pod of a ${kind}`, async () => {
      const app = `one-${kind.toLowerCase()}`;
      await cluster.apply(manifestOf(kind, app, kind === 'Job' || kind === 'Pod' ? PROGRAM : WAITS));
      await pods.thatSays(app, SAID);
      await cluster.kubectl('delete', kind.toLowerCase(), app, '-n', NAMESPACE, '--wait=false');
    });

  it('leaves a static pod as the kubelet has it: the API server has only its mirror', async () => {
    const made = manifestOf('Pod', 'static', WAITS) as { metadata: { name: string }; spec: Record<string, unknown> };
    const { serviceAccountName, ...spec } = made.spec;
    expect(serviceAccountName, 'which static pods cannot have').to.equal('shop');
    stage.node?.runStaticPod({ ...made, spec });
    await pods.thatSays('static', 'PASSWORD=vault:secret/data/shop/db#password\n');
    const found = JSON.parse(
      await cluster.kubectl('get', 'pod', '-l', 'app=static', '-n', NAMESPACE, '-o', 'json'),
    ) as {
      items: { metadata: { name: string; annotations: Record<string, string> }; spec: LiveTemplate['spec'] }[];
    };
    const [mirror] = found.items;
    expect(mirror?.metadata.name).to.equal('static-localhost');
    expect(mirror?.metadata.annotations).to.include.keys('kubernetes.io/config.mirror');
    expect(JSON.stringify(mirror)).to.not.contain('vaultinjection.dev/');
    expect(mirror?.spec.containers[0]?.command).to.deep.equal(WAITS);
  });

  it('starts with its secret: a Job that kubectl makes of a CronJob', async () => {
    await cluster.kubectl('create', 'job', 'by-hand', '--from=cronjob/often', '-n', NAMESPACE);
    await cluster.kubectl('wait', '--for=condition=Complete', 'job/by-hand', '-n', NAMESPACE, '--timeout=120s');
  });

  it('a Job that was suspended while the policy changed starts with what it was created with', async () => {
    // a policy of its own: the CronJob's run may come in between
    const selector = { matchLabels: { app: 'suspended' } };
    const own = (spec: Record<string, unknown> = {}): Record<string, unknown> =>
      all({ priority: 1, selector, ...spec }, 'suspended');
    await cluster.policy(own());
    const suspended = manifestOf('Job', 'suspended', PROGRAM) as { spec: object };
    await cluster.apply({ ...suspended, spec: { ...suspended.spec, suspend: true } });
    // no Vault is there: a pod that is injected by it does not start
    await cluster.policy(own({ vault: { address: 'https://127.0.0.1:1', auth: { role: 'shop' } } }));
    await cluster.kubectl('patch', 'job', 'suspended', '-n', NAMESPACE, '-p', '{"spec":{"suspend":false}}');
    await cluster.kubectl('wait', '--for=condition=Complete', 'job/suspended', '-n', NAMESPACE, '--timeout=120s');
    await pods.thatSays('suspended', SAID);
  });

  describe('Helm, whose hook is a Job', () => {
    let helm: Helm;
    let chart: string;

    before(async () => {
      helm = await openHelm('helm4', stage.plane.kubeconfig);
      chart = mkdtempSync(join(tmpdir(), 'hook-'));
      mkdirSync(join(chart, 'templates'));
      writeFileSync(join(chart, 'Chart.yaml'), stringify({ apiVersion: 'v2', name: 'shop', version: '0.1.0' }));
      const annotations = {
        'helm.sh/hook': 'pre-install,pre-upgrade',
        'helm.sh/hook-delete-policy': 'before-hook-creation',
      };
      const hook = manifestOf('Job', 'migrate', PROGRAM, '', { annotations });
      writeFileSync(join(chart, 'templates/hook.yaml'), stringify(hook));
    });
    after(() => {
      helm.close();
      rmSync(chart, { recursive: true, force: true });
    });

    for (const [how, args] of [
      ['an installation', ['install']],
      ['an upgrade', ['upgrade']],
    ] as const)
      it(`waits for it in ${how}, and it has its secret`, async () => {
        await helm.ok([...args, 'shop', chart, '-n', NAMESPACE, '--timeout', '120s']);
        await pods.thatSays('migrate', SAID);
        const status = await cluster.kubectl(
          'get',
          'job',
          'migrate',
          '-n',
          NAMESPACE,
          '-o',
          'jsonpath={.status.succeeded}',
        );
        expect(status).to.equal('1');
      });
  });

  it('starts with its secret each time: a CronJob, whose Jobs stay as its history', async () => {
    await allSay('often', 2);
    const jobs = await cluster.kubectl('get', 'jobs', '-n', NAMESPACE, '-o', 'jsonpath={.items[*].metadata.name}');
    expect(jobs).to.match(/\boften-\d+\b/);
    const found = JSON.parse(await cluster.kubectl('get', 'vip', 'all', '-n', NAMESPACE, '-o', 'json')) as {
      status: { workloads: Record<string, number> };
    };
    expect(found.status.workloads).to.include({ missed: 0, failed: 0, denied: 0 });
  });
});
