import { expect } from 'chai';

import { skipWithoutNode } from '../support/node.ts';
import { eventually } from '../support/operator.ts';
import { filesHolding, type Stage } from '../support/stage.ts';
import type { Cluster, LiveTemplate } from '../integration/cluster.ts';
import { policy } from '../integration/manifests.ts';
import { openShop, workload, type Pods, type Program } from './pods.ts';

const SECRET = { username: 'shop', password: `pass-${Math.random().toString(36).slice(2)}-word` };
const NAMESPACE = 'shop';

// Each prints the variable, then that it waits; a shell that gets SIGTERM as PID 1 needs a trap to end by it. The kubelet
// makes $$ of $$$$ in any command, wrapped or not.
const script =
  'trap "echo got SIGTERM; exit 0" TERM; echo "PASSWORD=$PASSWORD"; echo "pid=$$$$"; echo waits; while true; do sleep 0.2; done';
const PROGRAMS: Readonly<Record<string, Program>> = {
  'scratch, a static program': {
    image: 'localhost/probe:1',
    command: ['/probe', '-wait', '--', 'PASSWORD', 'VAULT_ENV_CONFIG'],
  },
  'busybox, without any libc': { image: 'localhost/busybox:1', command: ['sh', '-c', script] },
  'glibc, a shell with shared libraries': {
    image: 'localhost/glibc:1',
    // its image has no sleep: a pipe that nobody writes to, opened once, because a shell that forks all the time can miss a signal
    command: ['bash', '-c', `exec 3<> <(:); ${script.replace('sleep 0.2', 'read -rt 0.2 -u 3 || :')}`],
  },
};

describe('pods on a real kubelet', function () {
  this.timeout(240_000);
  let stage: Stage;
  let cluster: Cluster;
  let pods: Pods;

  before(async function () {
    skipWithoutNode(this);
    ({ stage, cluster, pods } = await openShop(SECRET, NAMESPACE));
    for (const delivery of ['InitContainer', 'ImageVolume', 'Auto']) {
      await cluster.policy(shopPolicy(delivery.toLowerCase(), { injector: injector(delivery) }));
    }
  });
  after(async () => {
    // before() may have skipped
    await (stage as Stage | undefined)?.stop();
  });

  const injector = (delivery: string): Record<string, unknown> => ({ delivery, imagePullPolicy: 'Never' });

  function shopPolicy(name: string, spec: Record<string, unknown>): Record<string, unknown> {
    const tls = { caBundle: stage.vault.caPem };
    const vault = { address: stage.vault.tlsAddress, tls, auth: { role: 'shop' }, timeout: '3s' };
    return policy(NAMESPACE, name, { vault, selector: { matchLabels: { policy: name } }, ...spec });
  }

  const deployment = (
    name: string,
    policyName: string,
    program: Program,
    reference = 'vault:secret/data/shop/db#password',
  ): Record<string, unknown> => workload(NAMESPACE, name, policyName, program, { PASSWORD: reference });

  it('get vault-env by an image volume where the operator chooses, which the status says', async () => {
    const { injector: chosen } = await eventually('the operator to choose', async () => {
      const text = await cluster.kubectl('get', 'vip', 'auto', '-n', NAMESPACE, '-o', 'json');
      const { status } = JSON.parse(text) as { status?: { injector?: { delivery: string; message: string } } };
      return status?.injector?.delivery === 'ImageVolume' ? status : undefined;
    });
    expect(chosen?.message).to.match(/^all nodes \(1\) can mount images/);
    // it reaches every replica by the same status
    const [name, program] = ['auto', { image: 'localhost/probe:1', command: ['/probe', '-wait', '--', 'PASSWORD'] }];
    await cluster.apply(deployment(name, 'auto', program));
    const { template } = (await cluster.get(NAMESPACE, name)).spec;
    expect(template.spec.initContainers).to.equal(undefined);
    await pods.thatSays(name, `PASSWORD=${SECRET.password}`);
    await pods.scale(name, 0);
  });

  for (const delivery of ['initcontainer', 'imagevolume']) {
    for (const [index, [what, program]] of Object.entries(PROGRAMS).entries()) {
      it(`get the secret, their own PID and their signals: ${what}, by ${delivery}`, async () => {
        const app = `${delivery}-${index}`;
        await cluster.apply(deployment(app, delivery, program));
        const pod = await pods.thatSays(app, `PASSWORD=${SECRET.password}\n`, 'waits\n');
        expect(pods.log(pod)).to.match(/\bpid=1\b/);
        expect(pods.log(pod)).to.not.match(/VAULT_ENV_CONFIG=/);
        await pods.scale(app, 0);
        await pods.lastSays(pod, /got (SIGTERM|terminated)/);
      });
    }

    it(`are admitted if "restricted" is enforced: templates by ${delivery}`, async () => {
      const restricted = `restricted-${delivery}`;
      await cluster.namespace(restricted);
      await cluster.kubectl('label', 'namespace', restricted, 'pod-security.kubernetes.io/enforce=restricted');
      const { template } = (await cluster.get(NAMESPACE, `${delivery}-0`)).spec;
      const { hostNetwork, serviceAccountName, serviceAccount, ...spec } = template.spec as LiveTemplate['spec'] &
        Record<string, unknown>;
      expect([hostNetwork, serviceAccountName, serviceAccount]).to.deep.equal([true, 'shop', 'shop']);
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { ...template.metadata, name: 'same', namespace: restricted },
        spec,
      };
      expect(await cluster.apply(pod)).to.include('pod/same created');
    });
  }

  it('end with the exit status of the program', async () => {
    await cluster.apply(
      deployment('exits', 'initcontainer', { image: 'localhost/probe:1', command: ['/probe', '-exit', '7'] }),
    );
    expect(await pods.exitStatus('exits')).to.equal(7);
  });

  const failures: [what: string, spec: () => Record<string, unknown>, reference: string, line: RegExp][] = [
    [
      'the role is not theirs',
      () => ({ auth: { role: 'nobodys' } }),
      'vault:secret/data/shop/db#password',
      /login.*400|invalid role|nobodys/i,
    ],
    [
      'the secret is absent',
      () => ({}),
      'vault:secret/data/shop/absent#password',
      /secret\/data\/shop\/absent.*404|not found/i,
    ],
    ['the key is absent', () => ({}), 'vault:secret/data/shop/db#pasword', /pasword/],
    [
      'Vault is unreachable',
      () => ({ address: 'https://127.0.0.1:1' }),
      'vault:secret/data/shop/db#password',
      /127\.0\.0\.1:1/,
    ],
  ];
  for (const [index, [what, changes, reference, line]] of failures.entries()) {
    it(`crash with one clear line, and the program never starts, when ${what}`, async () => {
      const name = `failing-${index}`;
      const base = shopPolicy(name, { injector: injector('InitContainer') }) as {
        spec: { vault: Record<string, unknown> };
      };
      base.spec.vault = { ...base.spec.vault, timeout: '1s', ...changes() };
      await cluster.policy(base as { metadata?: unknown });
      await cluster.apply(
        deployment(name, name, { image: 'localhost/probe:1', command: ['/probe', '--', 'PASSWORD'] }, reference),
      );
      const pod = await eventually(
        'CrashLoopBackOff',
        async () => {
          const found = await pods.of(name);
          const status = found?.status.containerStatuses?.[0];
          return status?.state?.waiting?.reason === 'CrashLoopBackOff'
            ? { ...status, name: found?.metadata.name ?? '' }
            : undefined;
        },
        90_000,
      );
      const lines = pods.log(pod.name).trim().split('\n');
      const runs = pod.restartCount + 1;
      expect(lines.length, lines.join('\n')).to.be.within(1, runs);
      expect(lines[0]).to.match(line);
      expect(lines.join('\n'), 'the program has printed nothing').to.not.match(/^probe/m);
      expect(pod.lastState?.terminated?.exitCode).to.be.above(0);
      await cluster.kubectl('delete', 'deployment', name, '-n', NAMESPACE);
    });
  }

  it('leave no byte of the secret in etcd', async () => {
    await cluster.kubectl('get', 'pods', '-n', NAMESPACE);
    expect(
      filesHolding(stage.plane.etcdDir, 'vault:secret/data/shop/db#password'),
      'the search finds what is there',
    ).to.be.above(0);
    expect(filesHolding(stage.plane.etcdDir, SECRET.password)).to.equal(0);
  });
});
