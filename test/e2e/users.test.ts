import { expect } from 'chai';

import type { Cluster } from '../integration/cluster.ts';
import { policy } from '../integration/manifests.ts';
import { skipWithoutNode } from '../support/node.ts';
import { eventually } from '../support/operator.ts';
import type { Stage } from '../support/stage.ts';
import { openShop, workload, type Pods } from './pods.ts';

/**
 * Every user that a container may run as can execute vault-env, and read its token and the CA. Not here: `hostUsers: false`,
 * which runc supports from 1.2 on, and this node may have an older one.
 */

const NAMESPACE = 'shop';
const SECRET = { username: 'shop', password: `pass-${Math.random().toString(36).slice(2)}-word` };
const OWN_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The user of the injector's image. */
const NON_ROOT = 65532;

// Says who it is, who has put vault-env there, whether a file of its own can be read, and what it was started with. The
// kubelet leaves $(…) alone: no variable has such a name.
const SCRIPT = `
  trap 'exit 0' TERM
  echo "uid=$(id -u) installer=$(busybox stat -c %u /vault-env*/vault-env) own=$(cat $OWN) password=$PASSWORD"
  while true; do sleep 0.2; done`;
const PROGRAM = { image: 'localhost/busybox:1', command: ['sh', '-c', SCRIPT] };

type Json = Record<string, unknown>;

interface Container extends Json {
  name: string;
  env: Json[];
  securityContext?: Json;
}

interface PodSpec extends Json {
  securityContext?: Json;
  containers: Container[];
  initContainers?: Container[];
}

interface Shape {
  /** What the pod says about users, if anything. */
  readonly pod?: Json;
  /** The same for each of its containers: one if absent. */
  readonly containers?: readonly Json[];
  /** Users of the containers, and the one that vault-env belongs to if an init container has installed it. */
  readonly users: readonly number[];
  readonly installer: number;
  /** Name of the policy, if not the one of the delivery. */
  readonly by?: string;
  readonly change?: (spec: PodSpec) => void;
}

const SHAPES: Readonly<Record<string, Shape>> = {
  'a user for the pod': { pod: { runAsUser: 1000 }, users: [1000], installer: 1000 },
  'a user and a group for the pod': { pod: { runAsUser: 1000, runAsGroup: 3000 }, users: [1000], installer: 1000 },
  'a user and fsGroup for the pod': { pod: { runAsUser: 1000, fsGroup: 2000 }, users: [1000], installer: 1000 },
  'a user for the pod, and runAsNonRoot': {
    pod: { runAsUser: 1000, runAsNonRoot: true },
    users: [1000],
    installer: 1000,
  },
  'a user for the container alone': { containers: [{ runAsUser: 1001 }], users: [1001], installer: NON_ROOT },
  'a user for the container alone, and fsGroup': {
    pod: { fsGroup: 2000 },
    containers: [{ runAsUser: 1001 }],
    users: [1001],
    installer: NON_ROOT,
  },
  'a user for each of two containers': {
    containers: [{ runAsUser: 1001 }, { runAsUser: 1002 }],
    users: [1001, 1002],
    installer: NON_ROOT,
  },
  'a user for each of two containers, and fsGroup': {
    pod: { runAsUser: 1000, fsGroup: 2000 },
    containers: [{ runAsUser: 1001 }, { runAsUser: 1002 }],
    users: [1001, 1002],
    installer: 1000,
  },
  'a user for the pod, and root in one of two containers': {
    pod: { runAsUser: 1000, runAsNonRoot: true },
    containers: [{}, { runAsUser: 0, runAsNonRoot: false }],
    users: [1000, 0],
    installer: 1000,
  },
  'nothing, which is root': { users: [0], installer: NON_ROOT },
  'root for the pod': { pod: { runAsUser: 0, runAsGroup: 0 }, users: [0], installer: NON_ROOT },
  'root for the pod, and fsGroup': { pod: { runAsUser: 0, fsGroup: 2000 }, users: [0], installer: NON_ROOT },
  'another user than the policy says for the init container': {
    pod: { runAsUser: 1000 },
    users: [1000],
    installer: 3000,
    by: 'other-user',
  },
  'another user than the policy says for the init container, and fsGroup': {
    pod: { runAsUser: 1000, fsGroup: 2000 },
    users: [1000],
    installer: 3000,
    by: 'other-user',
  },
  'a root file system that takes no file': {
    containers: [{ runAsUser: 1001, readOnlyRootFilesystem: true }],
    users: [1001],
    installer: NON_ROOT,
  },
  'a token of its own at the usual path': {
    containers: [{ runAsUser: 1001 }],
    users: [1001],
    installer: NON_ROOT,
    change: (spec) => addVolume(spec, 'kube-api-access', OWN_TOKEN, tokenVolume('token'), 'token'),
  },
  'a token of its own at the usual path, and fsGroup': {
    pod: { runAsUser: 1000, fsGroup: 2000 },
    users: [1000],
    installer: 1000,
    change: (spec) => addVolume(spec, 'kube-api-access', OWN_TOKEN, tokenVolume('token'), 'token'),
  },
  'volumes of its own with our names, at our paths': {
    pod: { runAsUser: 1000 },
    users: [1000],
    installer: 1000,
    change: (spec) => {
      addVolume(spec, 'vault-env', '/vault-env', { emptyDir: {} });
      addVolume(spec, 'vault-env-ca', '/vault-env-ca', { emptyDir: {} });
      addVolume(spec, 'vault-env-token', '/vault-env-token', tokenVolume('mine'), 'mine');
    },
  },
  'an init container of root with a secret before one of another user': {
    containers: [{ runAsUser: 1001 }],
    users: [1001],
    installer: NON_ROOT,
    change: (spec) => {
      const command = ['sh', '-c', 'echo "uid=$(id -u) password=$PASSWORD"'];
      const securityContext = { runAsUser: 0 };
      spec.initContainers = spec.containers.map((app) => ({ ...app, name: 'permissions', command, securityContext }));
    },
  },
};

/** A token for the API server. */
function tokenVolume(path: string): Json {
  return { projected: { sources: [{ serviceAccountToken: { path } }] } };
}

/** Mounts a volume in each container; they say whether they can read the file in it. */
function addVolume(spec: PodSpec, name: string, mountPath: string, source: Json, file?: string): void {
  spec.volumes = [...((spec.volumes as Json[] | undefined) ?? []), { name, ...source }];
  for (const container of spec.containers) {
    container.volumeMounts = [...((container.volumeMounts as Json[] | undefined) ?? []), { name, mountPath }];
    if (file !== undefined) container.env.push({ name: 'OWN', value: `${mountPath}/${file}` });
  }
}

describe('the secret reaches a program on a real kubelet, in a pod that says', function () {
  this.timeout(240_000);
  let stage: Stage;
  let cluster: Cluster;
  let pods: Pods;

  before(async function () {
    skipWithoutNode(this);
    ({ stage, cluster, pods } = await openShop(SECRET, NAMESPACE));
    const ca = { 'ca.crt': stage.vault.caPem };
    await cluster.apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'ca', namespace: NAMESPACE },
      data: ca,
    });
    await shopPolicy('initcontainer', { delivery: 'InitContainer' });
    await shopPolicy('imagevolume', { delivery: 'ImageVolume' });
    await shopPolicy('other-user', {
      delivery: 'InitContainer',
      securityContext: { runAsUser: 3000, runAsGroup: 3000 },
    });
  });
  after(async () => {
    // before() may have skipped
    await (stage as Stage | undefined)?.stop();
  });

  const cases = Object.entries(SHAPES).flatMap(([what, shape], index) =>
    (shape.by === undefined ? ['initcontainer', 'imagevolume'] : [shape.by]).map((by) => ({
      what,
      shape,
      by,
      name: `${by}-${index}`,
    })),
  );

  async function shopPolicy(name: string, injector: Json): Promise<void> {
    const tls = { caRef: { kind: 'ConfigMap', name: 'ca', key: 'ca.crt' } };
    const vault = { address: stage.vault.tlsAddress, tls, auth: { role: 'shop' }, timeout: '3s' };
    const selector = { matchLabels: { policy: name } };
    const spec = { vault, selector, injector: { imagePullPolicy: 'Never', ...injector } };
    await cluster.policy(policy(NAMESPACE, name, spec));
  }

  function deployment(name: string, by: string, { pod, containers = [{}], change }: Shape): Json {
    const made = workload(NAMESPACE, name, by, PROGRAM, { PASSWORD: 'vault:secret/data/shop/db#password' });
    const { spec } = (made.spec as { template: { spec: PodSpec } }).template;
    const [app] = spec.containers;
    delete spec.securityContext;
    if (pod !== undefined) spec.securityContext = pod;
    spec.containers = containers.map((securityContext, index) => ({
      ...app,
      name: `app-${index}`,
      env: [...(app?.env ?? [])],
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, ...securityContext },
    }));
    change?.(spec);
    return made;
  }

  // all at once: the kubelet starts them beside each other
  before(() =>
    cluster.apply({
      apiVersion: 'v1',
      kind: 'List',
      items: cases.map(({ name, by, shape }) => deployment(name, by, shape)),
    }),
  );

  for (const { what, name, by, shape } of cases) {
    it(`${what} (policy ${by})`, async () => {
      const made = deployment(name, by, shape);
      const installer = by === 'imagevolume' ? 0 : shape.installer; // the files of an image are root's
      for (const [index, user] of shape.users.entries()) {
        const line = await lineOf(name, `app-${index}`);
        expect(line)
          .to.contain(`uid=${user} installer=${installer} own=`)
          .and.to.contain(`password=${SECRET.password}`);
        if (JSON.stringify(made).includes('"OWN"')) expect(line, 'its own token').to.match(/ own=eyJ/);
      }
      if (JSON.stringify(made).includes('initContainers'))
        expect(await lineOf(name, 'permissions')).to.equal(`uid=0 password=${SECRET.password}\n`);
      await cluster.kubectl('delete', 'deployment', name, '-n', NAMESPACE, '--wait=false');
    });
  }

  /** The first line that a container of a Deployment prints. */
  const lineOf = (app: string, container: string): Promise<string> =>
    eventually(
      `a line of ${container} of ${app}`,
      async () => {
        const pod = (await pods.of(app))?.metadata.name ?? '';
        return /^.*\n/m.exec(pods.log(pod, container))?.[0];
      },
      60_000,
    );

  it('a memory limit of 16Mi: the init container gets the 32Mi that it needs', async () => {
    const made = deployment('small', 'initcontainer', { pod: { runAsUser: 1000 }, users: [], installer: 1000 });
    const { spec } = (made.spec as { template: { spec: PodSpec } }).template;
    const [app] = spec.containers;
    if (app !== undefined) app.resources = { limits: { memory: '16Mi' } };
    await cluster.apply(made);
    expect(await lineOf('small', 'app-0')).to.contain(`password=${SECRET.password}`);
    const path =
      '{.items[0].spec.initContainers[0].resources.limits.memory} {.items[0].status.initContainerStatuses[0]}';
    const found = await cluster.kubectl('get', 'pods', '-n', NAMESPACE, '-l', 'app=small', '-o', `jsonpath=${path}`);
    expect(found)
      .to.match(/^32Mi /)
      .and.to.contain('"restartCount":0')
      .and.to.contain('"reason":"Completed"');
  });
});
