import { execFile, execFileSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { parseAllDocuments, stringify } from 'yaml';

import { buildImage, ownArchitecture } from '../../build/image.ts';
import { operatorSpec, vaultEnvSpec } from '../../build/images.ts';
import type { Architecture } from '../../build/runtime/pins.ts';
import { ensureTools } from '../../build/tools/tools.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { skipWithoutNode, startNode, type Node } from '../support/node.ts';
import { freePorts } from '../support/ports.ts';
import { commandsOf } from '../support/page-commands.ts';
import { busyboxImage } from '../support/test-images.ts';

const ROOT = join(import.meta.dirname, '../..');
const SYSTEM = 'vault-injection-system';
const NAME = 'vault-injection-operator';
const PAGE = readFileSync(join(ROOT, 'docs/getting-started.md'), 'utf8');
const BLOCKS = commandsOf(PAGE);

interface Template {
  spec: { containers: { command: string[]; readinessProbe?: unknown }[] };
}

/**
 * docs/getting-started.md, command by command. There is no kind here: the cluster is this repository's control plane with one
 * real kubelet, which differs in this:
 * - There is no pod network and no kube-proxy. Pods share the host's network, Services are not reachable, and so the addresses of
 *   Vault and of the API server are those on loopback, and the operator's Service leads to loopback.
 * - Vault is the one of the tests, which has the plugin for Kubernetes as a file of its own.
 * - There is no registry: what `make images` and `kind load` do is done by the test, with the same images.
 */
describe('docs/getting-started.md, word for word, on a real kubelet', function () {
  this.timeout(240_000);
  this.bail(true); // each step needs the ones before
  let plane: ControlPlane;
  let node: Node;
  let cwd: string;
  let path: string;
  let vaultPort: number;
  /** What each block printed, by its heading. */
  const printed = new Map<string, string>();

  before(async function () {
    this.timeout(BUILDING_MS);
    skipWithoutNode(this);
    execFileSync(process.execPath, [join(ROOT, 'build/bundle.ts')], { stdio: 'inherit' });
    const tools = await ensureTools(['helm4', 'kubectl', 'vault', 'vault-plugin-auth-kubernetes']);
    plane = await startControlPlane({ scheduler: true });
    node = await startNode(plane);
    const [webhook = 0, health = 0, vault = 0] = await freePorts(3);
    vaultPort = vault;
    await importImages(tools.vault.path, tools['vault-plugin-auth-kubernetes'].path);
    cwd = repositoryOfTheReader();
    const bin = join(node.dir, 'reader/bin');
    mkdirSync(bin);
    const values = join(bin, 'this-node.yaml');
    writeFileSync(values, stringify(valuesForThisNode(webhook, health)));
    const kubectl = tools.kubectl.path;
    const script = (name: string, text: string): void =>
      writeFileSync(join(bin, name), `#!/bin/sh\nset -e\n${text}\n`, { mode: 0o755 });
    script('kubectl', `exec ${kubectl} "$@"`);
    script(
      'helm',
      `case "$1" in
install)
  ${tools.helm4.path} "$@" --values ${values}
  ${kubectl} replace --force -f - <<'EOF'
${JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { namespace: SYSTEM, name: NAME }, spec: { type: 'ExternalName', externalName: 'localhost' } })}
EOF
  ;;
*) exec ${tools.helm4.path} "$@" ;;
esac`,
    );
    path = `${bin}:${process.env.PATH ?? ''}`;
  });
  after(async () => {
    // before() may have skipped
    await (node as Node | undefined)?.stop();
    await (plane as ControlPlane | undefined)?.stop();
  });

  const here = (text: string): string =>
    text
      .replaceAll('http://vault.vault.svc:8200', `http://127.0.0.1:${vaultPort}`)
      .replaceAll('0.0.0.0:8200', `127.0.0.1:${vaultPort}`)
      .replaceAll('8200', String(vaultPort))
      .replaceAll('https://kubernetes.default.svc', plane.server);

  async function importImages(vault: string, plugin: string): Promise<void> {
    const folder = join(node.dir, 'images');
    mkdirSync(folder, { recursive: true });
    const architecture = ownArchitecture() as Architecture;
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    for (const spec of [
      await operatorSpec(`localhost/vault-injection-operator:${version}`, architecture),
      vaultEnvSpec(`localhost/vault-env:${version}`, architecture),
    ]) {
      const archive = join(folder, `${spec.name.replaceAll(/\W/g, '-')}.tar`);
      await node.importImage(buildImage({ ...spec, compress: false }, archive));
    }
    await node.importImage(await busyboxImage(folder, { name: 'docker.io/library/busybox:1.37' }));
    const files = [
      { path: '/bin/vault', source: vault },
      { path: '/plugins/kubernetes', source: plugin },
      { path: '/tmp/.keep', content: '' }, // Vault talks with its plugins there
    ];
    const config = { env: ['PATH=/bin'] };
    const name = 'docker.io/hashicorp/vault:1.21.1';
    await node.importImage(buildImage({ name, files, config }, join(folder, 'vault.tar')));
  }

  /** A copy of what the page's commands read, for pods that share the host's network. */
  function repositoryOfTheReader(): string {
    const reader = join(node.dir, 'reader');
    cpSync(join(ROOT, 'config/chart'), join(reader, 'config/chart'), { recursive: true });
    for (const file of globSync('samples/quick-start/*.yaml', { cwd: ROOT })) {
      const documents = parseAllDocuments(readFileSync(join(ROOT, file), 'utf8')).map(
        (document) => document.toJS() as { spec?: { template?: Template } },
      );
      for (const { spec } of documents.flatMap((one) => one.spec?.template ?? [])) {
        Object.assign(spec, { hostNetwork: true, dnsPolicy: 'Default' });
        for (const container of spec.containers.filter(({ command }) => command[0] === 'vault')) {
          container.command.push('-dev-plugin-dir=/plugins');
          const command = ['vault', 'plugin', 'info', 'auth', 'kubernetes']; // which it finds a moment after it has begun
          container.readinessProbe = { exec: { command }, periodSeconds: 1, timeoutSeconds: 10 };
        }
      }
      mkdirSync(dirname(join(reader, file)), { recursive: true });
      writeFileSync(join(reader, file), here(documents.map((one) => stringify(one)).join('---\n')));
    }
    return reader;
  }

  function valuesForThisNode(webhook: number, health: number): Record<string, unknown> {
    return {
      hostNetwork: true,
      replicas: 1, // both would want the same ports
      webhook: { port: webhook },
      metrics: { port: health },
      extraEnv: [
        { name: 'KUBERNETES_SERVICE_HOST', value: '127.0.0.1' },
        { name: 'KUBERNETES_SERVICE_PORT', value: new URL(plane.server).port },
        { name: 'VAULT_INJECTION_WEBHOOK_SERVICE_PORT', value: String(webhook) },
      ],
    };
  }

  for (const { heading, script } of BLOCKS) {
    const ofKind = /^(kind|make images)\b/.test(script);
    const first = script.split('\n', 1).join('');
    (ofKind ? it.skip : it)(`${heading}: ${first}`, async () => {
      const env = { ...process.env, PATH: path, KUBECONFIG: plane.kubeconfig, HOME: join(node.dir, 'reader') };
      const running = promisify(execFile)('bash', ['-euo', 'pipefail', '-c', here(script)], {
        cwd,
        env,
        timeout: 120_000,
      });
      const { stdout } = await running.catch(async (cause: unknown) => {
        const error = cause as { stderr: string; stdout: string };
        const { stdout: pods } = await plane.kubectl(['get', 'pods,vip,events', '-A']);
        throw new Error(`${error.stderr}\n${error.stdout}\n${pods}`);
      });
      printed.set(heading, (printed.get(heading) ?? '') + stdout);
    });
  }

  it('showed what the page says', () => {
    const said = (number: number): string =>
      [...printed].find(([heading]) => heading.startsWith(`${number}. `))?.[1] ?? '';
    expect(said(6)).to.contain('the password is s3cr3t\n');
    expect(said(7), 'the table').to.match(/^shop +True +Active +\S+ +1 +1 /m);
    expect(said(7), 'exec env').to.contain('DB_PASSWORD=vault:secret/data/shop/db#password\n');
    expect(said(7), '--check').to.contain('DB_PASSWORD: 6 bytes\n');
  });

  it('left nothing behind that admission waits for', async () => {
    expect((await plane.kubectl(['get', 'mutatingwebhookconfigurations', '-o', 'name'])).stdout).to.equal('');
    expect((await plane.kubectl(['get', 'namespaces', '-o', 'name'])).stdout).to.not.match(/shop|vault/);
  });
});
