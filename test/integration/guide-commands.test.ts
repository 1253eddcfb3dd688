import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, dirname } from 'node:path';

import { expect } from 'chai';

import { annotation } from '../../core/injection/annotations.ts';
import { ensureTools } from '../../build/tools/tools.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane } from '../support/control-plane.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import { installPrerequisites } from '../support/operator.ts';

/** Commands of the guides that are more than one call of kubectl, run as they are written. */
describe('commands of the guides', function () {
  this.timeout(60_000);
  let plane: ControlPlane;
  let env: NodeJS.ProcessEnv;

  before(async function () {
    this.timeout(BUILDING_MS);
    const { kubectl } = await ensureTools(['kubectl']);
    plane = await startControlPlane({ controllers: false });
    await installPrerequisites(plane);
    const path = [dirname(kubectl.path), process.env.PATH].join(delimiter);
    env = { ...process.env, PATH: path, KUBECONFIG: plane.kubeconfig };
  });
  after(() => (plane as ControlPlane | undefined)?.stop());

  const apply = (object: object): Promise<string> => plane.kubectlOk(['apply', '-f', '-'], JSON.stringify(object));

  /** The one block of commands in a guide that contains the text. */
  function blockOf(guide: string, text: string): string {
    const page = readFileSync(new URL(`../../docs/guides/${guide}`, import.meta.url), 'utf8');
    const blocks = Array.from(page.matchAll(/^```sh\n([^]*?)^```$/gm), ([, block = '']) => block);
    const found = blocks.filter((block) => block.includes(text));
    expect(found).to.have.length(1);
    return found[0] ?? '';
  }

  function shell(commands: string): Promise<string> {
    return new Promise((resolve, reject) => {
      execFile('bash', ['-c', commands], { env }, (error, stdout, stderr) => {
        if (error === null && stderr === '') resolve(stdout);
        else reject(new Error(stderr));
      });
    });
  }

  describe('upgrade.md adds kinds to the targets of stored policies', () => {
    const BEFORE = ['Deployment', 'StatefulSet'];
    const NOW = ['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob', 'Job'];
    const stored: Readonly<Record<string, readonly string[]>> = {
      before: BEFORE,
      chosen: ['Deployment'],
      turned: ['StatefulSet', 'Deployment'],
      more: ['Deployment', 'StatefulSet', 'Pod'],
    };
    const command = blockOf('upgrade.md', 'kubectl patch vip');

    before(async () => {
      for (const [name, targets] of Object.entries(stored))
        await apply({
          apiVersion: 'vaultinjection.dev/v1alpha1',
          kind: 'VaultInjectionPolicy',
          metadata: { name, namespace: 'default' },
          spec: { vault: { address: 'https://vault:8200' }, targets },
        });
    });

    async function targetsNow(): Promise<Record<string, unknown>> {
      const list = JSON.parse(await plane.kubectlOk(['get', 'vip', '-n', 'default', '-o', 'json'])) as {
        items: { metadata: { name: string }; spec: { targets: unknown } }[];
      };
      return Object.fromEntries(list.items.map(({ metadata, spec }) => [metadata.name, spec.targets]));
    }

    it('of none as it stands: it says which it would patch', async () => {
      // kubectl does not say that it was a dry run
      expect(await shell(command)).to.equal('vaultinjectionpolicy.vaultinjection.dev/before patched\n');
      expect(await targetsNow()).to.deep.equal(stored);
    });

    it('of those with just the default of before, to that of now, once', async () => {
      const forReal = command.replace('--dry-run=server ', '');
      expect(forReal).to.not.equal(command);
      await shell(forReal);
      expect(await targetsNow()).to.deep.equal({ ...stored, before: NOW });
      expect(await shell(forReal)).to.equal('');
    });

    it('as the CRD has it', async () => {
      const spec = { vault: { address: 'https://vault:8200' } };
      const policy = { apiVersion: 'vaultinjection.dev/v1alpha1', kind: 'VaultInjectionPolicy', spec };
      await apply({ ...policy, metadata: { name: 'fresh', namespace: 'default' } });
      expect((await targetsNow()).fresh).to.deep.equal(NOW);
    });
  });

  it('uninstall.md lists the Jobs that are injected', async () => {
    for (const [name, annotations] of Object.entries({ plain: {}, injected: { [annotation.injected]: 'shop/1/abc' } }))
      await apply({
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name, namespace: 'default' },
        spec: {
          template: {
            metadata: { annotations },
            spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'a' }] },
          },
        },
      });
    expect(await shell(blockOf('uninstall.md', 'kubectl get jobs'))).to.equal('default/injected\n');
  });
});
