import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { stringify } from 'yaml';

import { buildMultiImage, ownArchitecture, type MultiImage } from '../../build/image.ts';
import { operatorSpec, vaultEnvSpec } from '../../build/images.ts';
import type { Architecture } from '../../build/runtime/pins.ts';
import { ensureTools } from '../../build/tools/tools.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { skipWithoutNode, startNode, type Node } from '../support/node.ts';
import { commandsOf } from '../support/page-commands.ts';
import { freePorts } from '../support/ports.ts';
import { pushImage } from '../support/registry-push.ts';
import { startRegistry, type LocalRegistry } from '../support/registry.ts';
import { busyboxImage } from '../support/test-images.ts';
import { allowReading, createRole, enableKubernetesAuth, OPERATOR, startVault, writeSecret } from '../support/vault.ts';
import type { Vault } from '../support/vault.ts';
import { valuesForThisNode } from './newcomer.ts';

const ROOT = join(import.meta.dirname, '../..');
const { name: NAME, namespace: SYSTEM } = OPERATOR;
const PAGE = readFileSync(join(ROOT, 'docs/guides/install.md'), 'utf8');
const FIRST_HOUR = readFileSync(join(ROOT, 'docs/getting-started.md'), 'utf8');
const PUSHED = ['vault-injection-operator', 'vault-env'] as const;

/**
 * docs/guides/install.md on the kubelet cluster of the tests: chart and images are pushed to a real registry and pulled from it,
 * by Helm and by containerd. Then a policy and a program, by sections 5 and 6 of docs/getting-started.md. What differs:
 * - Pods share the host's network, and the Service leads to loopback, as in quick-start.test.ts. So the namespace enforces the
 *   Pod Security level privileged.
 * - There is no skopeo: test/support/skopeo.ts does what it does. `make images` is done by the test, for this architecture.
 * - Vault runs beside the cluster, and knows it already.
 */
describe('docs/guides/install.md, with chart and images from a registry, on a real kubelet', function () {
  this.timeout(300_000);
  this.bail(true); // each step needs the ones before
  let plane: ControlPlane;
  let node: Node;
  let registry: LocalRegistry;
  let vault: Vault;
  let cwd: string;
  let env: NodeJS.ProcessEnv;
  const built = new Map<string, MultiImage>();

  before(async function () {
    this.timeout(BUILDING_MS);
    skipWithoutNode(this);
    execFileSync(process.execPath, [join(ROOT, 'build/bundle.ts')], { stdio: 'inherit' });
    plane = await startControlPlane({ scheduler: true });
    [node, registry, vault] = await Promise.all([startNode(plane), startRegistry(), startVault()]);
    node.trustRegistry(registry.host, registry.ca);
    await enableKubernetesAuth(vault, plane);
    await allowReading(vault, 'shop', ['secret/data/shop/*']);
    await createRole(vault, 'shop', {
      serviceAccounts: ['shop'],
      namespaces: ['shop'],
      policies: ['shop'],
      audience: 'vault',
    });
    await writeSecret(vault, 'secret/data/shop/db', { password: 's3cr3t' });
    await prepareReader();
  });
  after(async () => {
    // before() may have skipped
    await (vault as Vault | undefined)?.stop();
    await (node as Node | undefined)?.stop();
    await (registry as LocalRegistry | undefined)?.stop();
    await (plane as ControlPlane | undefined)?.stop();
  });

  const here = (text: string): string =>
    text
      .replaceAll('registry.example.com', registry.host)
      .replaceAll('http://vault.vault.svc:8200', vault.address)
      .replaceAll('enforce=restricted', 'enforce=privileged')
      .replaceAll('image: busybox:1.37', `image: ${registry.host}/library/busybox:1.37`);

  async function prepareReader(): Promise<void> {
    cwd = join(node.dir, 'reader');
    for (const folder of ['config/chart', 'samples/quick-start'])
      cpSync(join(ROOT, folder), join(cwd, folder), { recursive: true });
    for (const name of ['policy.yaml', 'web.yaml']) {
      const file = join(cwd, 'samples/quick-start', name);
      const text = here(readFileSync(file, 'utf8'));
      writeFileSync(
        file,
        text.replace(
          '    spec:\n      serviceAccountName',
          '    spec:\n      hostNetwork: true\n      serviceAccountName',
        ),
      );
    }
    const [, values = ''] = /^```yaml\n(# values\.yaml\n[^]*?)^```$/m.exec(PAGE) ?? [];
    writeFileSync(join(cwd, 'values.yaml'), here(values));
    const busybox = await busyboxImage(join(cwd, 'images'), { name: 'busybox:1.37' });
    await pushImage(registry, 'library/busybox', '1.37', busybox);
    await preparePrograms();
  }

  /** The programs that the commands call, as they are on this machine. */
  async function preparePrograms(): Promise<void> {
    const { helm4, kubectl } = await ensureTools(['helm4', 'kubectl']);
    const bin = join(cwd, 'bin');
    mkdirSync(bin);
    const [webhook = 0, health = 0] = await freePorts(2);
    const forThisNode = join(bin, 'this-node.yaml');
    writeFileSync(forThisNode, stringify(valuesForThisNode(plane, { webhook, health })));
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace: SYSTEM, name: NAME },
      spec: { type: 'ExternalName', externalName: 'localhost' },
    };
    const script = (name: string, text: string): void =>
      writeFileSync(join(bin, name), `#!/bin/sh\nset -e\n${text}\n`, { mode: 0o755 });
    script('kubectl', `exec ${kubectl.path} "$@"`);
    script('skopeo', `exec ${process.execPath} ${join(ROOT, 'test/support/skopeo.ts')} "$@"`);
    script('make', 'true'); // see makeImages()
    script(
      'helm',
      `if [ "$1" = install ]; then
  ${helm4.path} "$@" --values ${forThisNode}
  ${kubectl.path} replace --force -f - <<'EOF'
${JSON.stringify(service)}
EOF
else exec ${helm4.path} "$@"; fi`,
    );
    const ca = join(bin, 'registry-ca.crt');
    writeFileSync(ca, registry.ca);
    const path = `${bin}:${process.env.PATH ?? ''}`;
    env = { ...process.env, PATH: path, KUBECONFIG: plane.kubeconfig, HOME: cwd, SSL_CERT_FILE: ca };
  }

  async function makeImages(): Promise<void> {
    const architecture = ownArchitecture() as Architecture;
    for (const name of PUSHED) {
      const image = `${registry.host}/team/${name}:0.1.0`;
      const spec = name === 'vault-env' ? vaultEnvSpec(image, architecture) : await operatorSpec(image, architecture);
      built.set(name, buildMultiImage([{ ...spec, compress: false }], join(cwd, `dist/images/${name}.tar`)));
    }
  }

  /** Runs the blocks of a page below a heading; resolves with what they print. */
  async function run(page: string, heading: string): Promise<string> {
    const scripts = scriptsOf(page, heading);
    let printed = '';
    for (const script of scripts) {
      const running = promisify(execFile)('bash', ['-euo', 'pipefail', '-c', here(script)], {
        cwd,
        env,
        timeout: 150_000,
      });
      const { stdout } = await running.catch(async (cause: unknown) => {
        const error = cause as { stderr: string; stdout: string };
        const { stdout: state } = await plane.kubectl(['get', 'pods,vip,events', '-A']);
        throw new Error(`${error.stderr}\n${error.stdout}\n${state}`);
      });
      printed += stdout;
    }
    return printed;
  }

  it('pushes images and chart', async () => {
    await makeImages();
    await run(PAGE, 'Push to your registry');
  });

  it('installs them, and a program gets its secret: with the seconds that it took', async () => {
    const began = performance.now();
    const steps = [
      [PAGE, 'values.yaml'], // the comment in the YAML above it looks like a heading
      [FIRST_HOUR, '5. A policy for the namespace'],
      [FIRST_HOUR, '6. A program with a secret'],
    ] as const;
    let printed = '';
    for (const [page, heading] of steps) printed = await run(page, heading);
    expect(printed).to.contain('the password is s3cr3t\n');
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const commands = steps
      .flatMap(([page, heading]) => scriptsOf(page, heading))
      .join('')
      .match(/^(helm|kubectl) /gm);
    process.stdout.write(
      `      from helm install to the first injected pod: ${seconds} s, ${commands?.length ?? 0} commands\n`,
    );
  });

  it('runs the images of the registry, with the digests that were built', async () => {
    const pods = async (namespace: string): Promise<string> =>
      plane.kubectlOk(['get', 'pods', '-n', namespace, '-o', 'yaml']);
    expect(await pods(SYSTEM)).to.contain(built.get('vault-injection-operator')?.digest ?? 'none');
    expect(await pods('shop')).to.contain(`${registry.host}/team/vault-env:0.1.0`);
  });

  it('is called by its Service', async () => {
    const path = '{.webhooks[*].clientConfig.service.name}';
    const names = await plane.kubectlOk(['get', 'mutatingwebhookconfiguration', NAME, '-o', `jsonpath=${path}`]);
    expect(new Set(names.split(' '))).to.deep.equal(new Set([NAME]));
  });
});

function scriptsOf(page: string, heading: string): string[] {
  const blocks = commandsOf(page).filter((block) => block.heading === heading);
  expect(blocks, heading).not.to.deep.equal([]);
  return blocks.map(({ script }) => script);
}
