import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';

import { ensureTools } from '../../build/tools/tools.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { nodePaths } from '../support/node-files.ts';
import { skipWithoutNode, startNode, type Node } from '../support/node.ts';
import { eventually } from '../support/operator.ts';
import { freePorts } from '../support/ports.ts';
import { importPublicImages, writeHelm, writeScript } from './newcomer.ts';
import type { NewcomerKubectl } from './newcomer-kubectl.ts';

const ROOT = join(import.meta.dirname, '../..');
const CLUSTER_WIDE = [
  ...['namespaces', 'customresourcedefinitions', 'clusterroles', 'clusterrolebindings'],
  ...['mutatingwebhookconfigurations', 'validatingadmissionpolicies', 'validatingadmissionpolicybindings'],
  ...['mutatingadmissionpolicies', 'mutatingadmissionpolicybindings'],
].join(',');

interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/**
 * `make demo CONTEXT=… IMAGE_LOADER=…` in a cluster that is there already. Neither kind nor minikube can be had here: the cluster
 * is this repository's control plane with one real kubelet, and newcomer.ts says in what it differs. What is said to the programs
 * kind and minikube is tested in test/unit/demo/.
 */
describe('make demo, in a cluster that is at hand', function () {
  this.timeout(900_000); // the demo builds the operator and vault-env
  this.bail(true); // each step needs the ones before
  let plane: ControlPlane;
  let node: Node;
  let env: NodeJS.ProcessEnv;
  let untouched: string;
  let printed: string;

  before(async function () {
    this.timeout(BUILDING_MS);
    skipWithoutNode(this);
    const tools = await ensureTools(['kubectl', 'ctr', 'helm4']);
    plane = await startControlPlane({ scheduler: true });
    node = await startNode(plane);
    await importPublicImages(node);
    const [webhook = 0, health = 0, vaultPort = 0] = await freePorts(3);
    const bin = join(node.dir, 'newcomer');
    mkdirSync(bin);
    await writeHelm(bin, plane, { webhook, health });
    writeScript(
      join(bin, 'kubectl'),
      `exec ${process.execPath} ${join(import.meta.dirname, 'newcomer-kubectl.ts')} "$@"`,
    );
    const { socket } = nodePaths(node.dir);
    writeScript(join(bin, 'load'), `exec ${tools.ctr.path} --address ${socket} -n k8s.io images import "$1"`);
    const newcomer: NewcomerKubectl = { kubectl: tools.kubectl.path, server: plane.server, vaultPort };
    env = {
      ...process.env,
      PATH: `${bin}:${process.env.PATH ?? ''}`,
      KUBECONFIG: plane.kubeconfig,
      // HOME stays: the demo builds with the caches that are there
      ...{ KUBECACHEDIR: join(bin, 'kube'), HELM_CACHE_HOME: bin, HELM_CONFIG_HOME: bin, HELM_DATA_HOME: bin },
      NEWCOMER: JSON.stringify(newcomer),
    };
    untouched = await clusterWide();
  });
  after(async () => {
    // before() may have skipped
    await (node as Node | undefined)?.stop();
    await (plane as ControlPlane | undefined)?.stop();
  });

  const clusterWide = (): Promise<string> => plane.kubectlOk(['get', CLUSTER_WIDE, '-o', 'name']);

  /** Make without the packages, which are there. */
  const make = (...args: string[]): Promise<Ended> =>
    shell(['make', '-s', '-o', 'setup', '-C', ROOT, ...args].join(' '));

  function shell(command: string): Promise<Ended> {
    return new Promise((resolve) => {
      execFile('bash', ['-c', command], { env }, (error, stdout, stderr) => {
        resolve({ stdout, stderr, code: error === null ? 0 : Number(error.code ?? 1) });
      });
    });
  }

  it('leaves a cluster alone whose nodes get no images, and says how they could', async () => {
    const { code, stderr } = await make('demo', 'CONTEXT=local');
    expect(stderr).to.contain('make demo CONTEXT=local IMAGE_LOADER=').and.contain('IMAGE_PREFIX=');
    expect(code).to.not.equal(0);
    expect(await clusterWide()).to.equal(untouched);
  });

  it('leaves a namespace alone that is not its own', async () => {
    await plane.kubectlOk(['create', 'namespace', 'shop']);
    const { code, stderr } = await make('demo', 'CONTEXT=local', 'IMAGE_LOADER=load');
    expect(stderr).to.contain('namespace/shop already, and the demo did not make it');
    expect(code).to.not.equal(0);
    await plane.kubectlOk(['delete', 'namespace', 'shop']);
    expect(await clusterWide()).to.equal(untouched);
  });

  it('says what it will make, installs everything, and shows a program that has its secret', async () => {
    const { code, stdout, stderr } = await make('demo', 'CONTEXT=local', 'IMAGE_LOADER=load');
    expect(code, `${stdout}\n${stderr}`).to.equal(0);
    expect(stdout).to.contain('This is made there');
    // VAULT is OK on a real cluster: here Vault is on loopback, which the operator does not check
    expect(stdout).to.match(/^shop +True +Active +\S+ +4 +4 /m);
    expect(stdout).to.contain('+        - /vault-env/vault-env');
    expect(stdout)
      .to.contain('\nDB_PASSWORD=demo-s3cr3t\n')
      .and.contain('\nDB_PASSWORD=vault:secret/data/shop/db#password\n')
      .and.contain('\nPGPASSWORD=demo-s3cr3t\n');
    printed = stdout;
    console.log(`      ${/^\[.*done.*$/m.exec(stdout)?.[0] ?? ''}`);
  });

  it('prints four things to try, and each command does what it says', async () => {
    const commands = [...printed.matchAll(/^ {2}(kubectl .*)$/gm)]
      .map(([, command = '']) => command)
      // Services are not reachable here
      .filter((command) => !command.includes('port-forward'));
    expect(commands.length).to.be.greaterThan(12);
    // A deployment's log is that of one of its pods, which may be the old one for a moment.
    const results = {
      'logs -n shop deployment/': 'DB_PASSWORD=changed',
      'logs -n shop job/': 'PGPASSWORD=changed',
      'describe pod': 'the secret has no key "passwrd"',
    };
    const succeed = async (command: string): Promise<string> => {
      const { code, stdout, stderr } = await shell(command);
      expect(code, `${command}\n${stderr}`).to.equal(0);
      return stdout;
    };
    for (const command of commands) {
      const result = Object.entries(results).find(([verb]) => command.startsWith(`kubectl ${verb}`))?.[1] ?? '';
      await eventually(command, async () => ((await succeed(command)).includes(result) ? true : undefined), 120_000);
    }
    // the operator has to see that the policy is gone before the restart is of any use; a person is slower than this test
    const [restart = '', get = ''] = commands.slice(-2);
    await eventually(
      'the template of the author',
      async () => {
        const template = await succeed(get);
        if (template.includes('vault:secret/data/shop/db#') && !template.includes('/vault-env/vault-env')) return true;
        await succeed(restart);
        return undefined;
      },
      120_000,
    );
  });

  it('is taken away by make demo-clean, except the CRD while somebody else has policies', async () => {
    await plane.kubectlOk(['create', 'namespace', 'mine']);
    const spec = { vault: { address: 'https://vault.example.com:8200' } };
    const policy = {
      apiVersion: 'vaultinjection.dev/v1alpha1',
      kind: 'VaultInjectionPolicy',
      metadata: { name: 'mine' },
      spec,
    };
    await plane.kubectlOk(['apply', '-n', 'mine', '-f', '-'], JSON.stringify(policy));
    const first = await make('demo-clean', 'CONTEXT=local');
    expect(first.code, first.stderr).to.equal(0);
    expect(first.stdout).to.contain('stays: there are policies');
    expect(await plane.kubectlOk(['get', 'vip', '-n', 'mine', '-o', 'name'])).to.contain('mine');
    await plane.kubectlOk(['delete', 'namespace', 'mine']);
    const second = await make('demo-clean', 'CONTEXT=local');
    expect(second.code, second.stderr).to.equal(0);
    expect(await clusterWide()).to.equal(untouched);
  });
});
