import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/operator.ts';
import { startNode, skipWithoutNode, whyNoNode, type Node } from '../support/node.ts';
import { busyboxImage, glibcImage, probeImage } from '../support/test-images.ts';

/** All that Pod Security "restricted" asks of a container. */
const RESTRICTED = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  runAsUser: 65532,
  seccompProfile: { type: 'RuntimeDefault' },
};

describe('the local node for tests', function () {
  this.timeout(60_000);
  let cluster: ControlPlane;
  let node: Node;

  before(async function () {
    skipWithoutNode(this);
    this.timeout(BUILDING_MS);
    cluster = await startControlPlane({ scheduler: true });
    node = await startNode(cluster);
    const dir = join(node.dir, 'images');
    for (const image of [await probeImage(dir), await busyboxImage(dir), glibcImage(dir)])
      await node.importImage(image);
  });

  after(async () => {
    if (whyNoNode() !== undefined) return;
    await node.stop();
    await cluster.stop();
    expect(existsSync(node.dir)).to.be.false;
  });

  it('runs the pod of a Deployment from a scratch image, restricted in every way', async () => {
    await deploy('probe', {
      image: 'localhost/probe:1',
      args: ['-wait', 'GREETING'],
      env: [{ name: 'GREETING', value: 'hello' }],
    });
    expect((await logUntil('probe', 'probe waits\n')).split('\n').slice(0, 2)).to.deep.equal([
      'probe pid=1 uid=65532 gid=0 root=read-only',
      'GREETING=hello',
    ]);
  });

  it('runs busybox and bash', async () => {
    await deploy('busybox', { image: 'localhost/busybox:1', command: ['sh', '-c', 'id -u; sleep 1000'] });
    await deploy('glibc', { image: 'localhost/glibc:1', command: ['bash', '-c', 'echo $UID; read -t 1000 <> <(:)'] });
    for (const name of ['busybox', 'glibc']) expect(await logUntil(name, '\n')).to.equal('65532\n');
  });

  it('answers kubectl logs and exec', async () => {
    await deploy('talker', { image: 'localhost/busybox:1', command: ['sh', '-c', 'echo ready; sleep 1000'] });
    await logUntil('talker', '\n');
    expect(await cluster.kubectlOk(['logs', 'deployment/talker'])).to.equal('ready\n');
    expect(await cluster.kubectlOk(['exec', 'deployment/talker', '--', 'id', '-u'])).to.equal('65532\n');
  });

  it('mounts an image as a volume, with executables in it', async () => {
    await deploy('volume', {
      image: 'localhost/busybox:1',
      command: ['/tool/probe', '-wait'],
      volumeMounts: [{ name: 'tool', mountPath: '/tool', readOnly: true }],
    });
    expect(await logUntil('volume', 'probe waits\n')).to.match(/^probe pid=1 uid=65532 /);
  });

  /** Makes a Deployment and waits until its pod is ready. */
  async function deploy(name: string, container: object): Promise<void> {
    const labels = { app: name };
    const main = { name: 'main', imagePullPolicy: 'Never', securityContext: RESTRICTED, ...container };
    const volumes = [{ name: 'tool', image: { reference: 'localhost/probe:1', pullPolicy: 'Never' } }];
    const host = { hostNetwork: true, dnsPolicy: 'Default' };
    const spec = { ...host, containers: [main], volumes, terminationGracePeriodSeconds: 1 };
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    };
    await cluster.kubectlOk(['apply', '-f', '-'], JSON.stringify(deployment));
    await cluster.kubectlOk(['rollout', 'status', `deployment/${name}`, '--timeout=40s']);
  }

  /** The log of the pod once it holds `text`: a container is ready before it has said anything. */
  async function logUntil(name: string, text: string): Promise<string> {
    const pod = await podOf(name);
    return eventually(`${name} to say ${JSON.stringify(text)}`, () => {
      const log = node.podLog('default', pod, 'main');
      return log.includes(text) ? log : undefined;
    });
  }

  function podOf(name: string): Promise<string> {
    return cluster.kubectlOk(['get', 'pods', '-l', `app=${name}`, '-o', 'jsonpath={.items[0].metadata.name}']);
  }
});
