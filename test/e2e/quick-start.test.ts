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
import { addressesHere, importPublicImages, onTheHost, writeHelm, writeScript } from './newcomer.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = readFileSync(join(ROOT, 'docs/getting-started.md'), 'utf8');
const BLOCKS = commandsOf(PAGE);

/**
 * docs/getting-started.md, command by command. There is no kind here: newcomer.ts says in what the
 * cluster differs. There is no registry either: what `make images` and `kind load` do is done by the test, with the same images.
 */
describe('docs/getting-started.md, word for word, on a real kubelet', function () {
  this.timeout(240_000);
  this.bail(true); // each step needs the ones before
  let plane: ControlPlane;
  let node: Node;
  let cwd: string;
  let path: string;
  let here: (text: string) => string;
  /** What each block printed, by its heading. */
  const printed = new Map<string, string>();

  before(async function () {
    this.timeout(BUILDING_MS);
    skipWithoutNode(this);
    execFileSync(process.execPath, [join(ROOT, 'build/bundle.ts')], { stdio: 'inherit' });
    const { kubectl } = await ensureTools(['kubectl']);
    plane = await startControlPlane({ scheduler: true });
    node = await startNode(plane);
    const [webhook = 0, health = 0, vault = 0] = await freePorts(3);
    here = addressesHere(plane, vault);
    await importImages();
    cwd = repositoryOfTheReader();
    const bin = join(node.dir, 'reader/bin');
    mkdirSync(bin);
    writeScript(join(bin, 'kubectl'), `exec ${kubectl.path} "$@"`);
    await writeHelm(bin, plane, { webhook, health });
    path = `${bin}:${process.env.PATH ?? ''}`;
  });
  after(async () => {
    // before() may have skipped
    await (node as Node | undefined)?.stop();
    await (plane as ControlPlane | undefined)?.stop();
  });

  async function importImages(): Promise<void> {
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
    await importPublicImages(node);
  }

  /** A copy of what the page's commands read, for pods that share the host's network. */
  function repositoryOfTheReader(): string {
    const reader = join(node.dir, 'reader');
    cpSync(join(ROOT, 'config/chart'), join(reader, 'config/chart'), { recursive: true });
    for (const file of globSync('samples/quick-start/*.yaml', { cwd: ROOT })) {
      const documents = parseAllDocuments(readFileSync(join(ROOT, file), 'utf8')).map((one) => one.toJS() as object);
      for (const document of documents) onTheHost(document);
      mkdirSync(dirname(join(reader, file)), { recursive: true });
      writeFileSync(join(reader, file), here(documents.map((one) => stringify(one)).join('---\n')));
    }
    return reader;
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
