import { expect } from 'chai';

import { mark } from '../../../../core/marks.ts';
import { coreResource } from '../../../../core/resources.ts';
import { ApiError } from '../../../../kube/object-client.ts';
import type { UninstallOptions } from '../../../../operator/composition/uninstall.ts';
import { uninstall, run as runUninstall } from '../../../../operator/composition/uninstall.ts';
import { SettingsError } from '../../../../operator/settings.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryApi } from '../../../support/memory-api.ts';

const NAMESPACE = 'vault-injection-system';
const SECRETS = coreResource('Secret', NAMESPACE);
const SECRET = 'vault-injection-operator-webhook';
const CONFIGURATIONS = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural: 'mutatingwebhookconfigurations',
};
const CONFIGURATION = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingWebhookConfiguration',
  metadata: { name: 'vault-injection-operator', annotations: { [mark.installation]: NAMESPACE } },
};
const WORKLOAD = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { namespace: 'shop', name: 'web' },
  spec: { template: { metadata: { annotations: { 'vaultinjection.dev/injected': 'shop/1/abc' } } } },
};

describe('the command uninstall', () => {
  let api: MemoryApi;
  let clock: ManualClock;
  let lines: string[];

  beforeEach(async () => {
    api = new MemoryApi();
    clock = new ManualClock();
    lines = [];
    await api.create(SECRETS, { apiVersion: 'v1', kind: 'Secret', metadata: { name: SECRET, namespace: NAMESPACE } });
    await api.create(CONFIGURATIONS, CONFIGURATION);
  });

  async function run(
    restore = false,
    webhookConfiguration: 'Managed' | 'External' = 'Managed',
    more: Pick<UninstallOptions, 'restoreWithinMs' | 'signal'> = {},
  ): Promise<number> {
    const state: { status?: number } = {};
    const work = uninstall({
      client: api,
      patient: api,
      clock,
      owner: { uid: () => Promise.resolve('uid-of-the-role') },
      settings: { namespace: NAMESPACE, webhookConfiguration },
      restore,
      rate: 5,
      ...more,
      say: (line) => lines.push(line),
    }).then((status) => {
      state.status = status;
    });
    for (let seconds = 0; seconds < 120 && state.status === undefined; seconds += 1) await clock.advance(1_000);
    await work;
    return state.status ?? -1;
  }
  const exists = async (): Promise<boolean> =>
    (await api.get(CONFIGURATIONS, 'vault-injection-operator')) !== undefined;
  const marked = async (): Promise<unknown> =>
    (await api.get(SECRETS, SECRET))?.metadata.annotations?.[mark.uninstalling];

  it('tells replicas first, and then removes the webhook configuration', async () => {
    expect(await run()).to.equal(0);
    expect([await exists(), await marked()]).to.deep.equal([false, 'Remove/uid-of-the-role']);
    const changes = api.calls.filter((call) => /^(patch|delete)/.test(call));
    expect(changes).to.deep.equal([`patch ${SECRET}`, 'delete vault-injection-operator']);
  });

  it('is content where there is nothing to remove', async () => {
    await run();
    await api.delete(SECRETS, SECRET);
    expect(await run()).to.equal(0);
  });

  it('leaves workloads alone unless it is told to restore them', async () => {
    await api.create({ group: 'apps', version: 'v1', plural: 'deployments', namespace: 'shop' }, WORKLOAD);
    expect(await run()).to.equal(0);
    expect(api.calls.filter((call) => call.startsWith('patch'))).to.deep.equal([`patch ${SECRET}`]);
  });

  it('removes nothing while a workload is left, and names it', async () => {
    await api.create({ group: 'apps', version: 'v1', plural: 'deployments', namespace: 'shop' }, WORKLOAD);
    expect(await run(true)).to.equal(1);
    expect([await exists(), await marked()]).to.deep.equal([true, 'Restore/uid-of-the-role']);
    expect(lines.slice(-2).join('\n')).to.match(
      /^left: shop\/web \(Deployment\): admission has not .*\nnothing was removed/,
    );
  });

  for (const [how, more] of [
    ['its time is over', { restoreWithinMs: 0 }],
    ['it gets a signal', { signal: AbortSignal.abort() }],
  ] as const)
    it(`says how to go on when ${how} before all are restored`, async () => {
      await api.create({ group: 'apps', version: 'v1', plural: 'deployments', namespace: 'shop' }, WORKLOAD);
      expect(await run(true, 'Managed', more)).to.equal(1);
      expect([await exists(), await marked()]).to.deep.equal([true, 'Restore/uid-of-the-role']);
      expect(lines.slice(-2).join('\n')).to.match(
        /^left: shop\/web \(Deployment\): it had no turn\nnothing was removed: run it again, and it goes on with these/,
      );
    });

  it('says how to go on where the webhook configuration has been removed before', async () => {
    await api.create({ group: 'apps', version: 'v1', plural: 'deployments', namespace: 'shop' }, WORKLOAD);
    expect(await run()).to.equal(0);
    expect(await run(true)).to.equal(1);
    expect(lines.at(-1)).to.match(/^admission cannot restore without .*kubectl annotate secret \S+ -n \S+ \S+-$/);
  });

  it('says how to go on when the API server went away meanwhile', async () => {
    let lists = 0;
    api.before = (operation) => {
      if (operation === 'list' && (lists += 1) > 1) throw new ApiError(0, 'ECONNREFUSED', 'connection refused');
    };
    expect(await run(true)).to.equal(1);
    expect(lines.at(-1)).to.equal('failed: connection refused; run it again, and it goes on with what is left');
  });

  it('removes it when all are restored', async () => {
    expect(await run(true)).to.equal(0);
    expect([await exists(), await marked()]).to.deep.equal([false, 'Remove/uid-of-the-role']);
  });

  it('says what it may not do, and who grants that', async () => {
    const { group, plural: resource } = CONFIGURATIONS;
    const lack = { kind: 'Right', verb: 'delete', group, resource, namespace: '' } as const;
    api.before = (operation) => {
      if (operation === 'delete') throw new ApiError(403, 'Forbidden', 'may not delete', undefined, lack);
    };
    expect(await run()).to.equal(1);
    expect(lines.at(-1)).to.match(
      /^failed: may not delete; the operator lacks rights on .*kubectl apply -k config\/rbac/,
    );
  });

  it('tries again what may pass', async () => {
    let failures = 5;
    api.before = (operation) => {
      if (operation !== 'patch' && failures-- > 0) throw new ApiError(503, 'ServiceUnavailable', 'busy');
    };
    expect(await run()).to.equal(0);
    expect(await exists()).to.equal(false);
  });

  it('takes no refusal for final from an API server that has just come back, and does not know its roles yet', async () => {
    const answers = [
      new ApiError(0, 'ECONNREFUSED', 'refused'),
      new ApiError(403, 'Forbidden', 'no clusterrole found'),
    ];
    api.before = (operation) => {
      const error = operation === 'delete' ? answers.shift() : undefined;
      if (error !== undefined) throw error;
    };
    expect(await run()).to.equal(0);
    expect(await exists()).to.equal(false);
  });

  for (const hanging of ['patch', 'list', 'delete'] as const)
    it(`ends within a minute if the API server does not answer to ${hanging}`, async () => {
      const began = clock.elapsed();
      api.before = async (operation) => {
        if (operation !== hanging) return;
        await clock.sleep(5_000);
        throw new ApiError(0, 'Timeout', 'no answer within 5 s');
      };
      expect(await run()).to.equal(1);
      expect(clock.elapsed() - began).to.be.at.most(60_000);
      expect(lines.at(-1)).to.equal('failed: no answer within 5 s');
    });

  it('removes nothing that belongs to the installer, and says who does', async () => {
    expect(await run(false, 'External')).to.equal(0);
    expect(await exists()).to.equal(true);
    expect(lines.join()).to.contain('kubectl delete mutatingwebhookconfiguration vault-injection-operator');
    expect(await run(true, 'External')).to.equal(1);
    expect(await marked()).to.equal(undefined);
  });

  describe('reads', () => {
    const help = async (...argv: string[]): Promise<string> => {
      let text = '';
      const stdout = { write: (piece: string) => (text += piece) };
      expect(await runUninstall(argv, { env: {}, stdout })).to.equal(0);
      return text;
    };
    const refused = async (...argv: string[]): Promise<string> => {
      const error = await runUninstall(argv, { env: {}, stdout: { write: () => true } }).catch((one: unknown) => one);
      expect(error).to.be.instanceOf(SettingsError);
      return (error as SettingsError).message;
    };

    it('--help', async () => {
      for (const argv of [['--help'], ['--restore', '--help', '--namespace', 'x']])
        expect(await help(...argv)).to.match(/^Usage: vault-injection-operator uninstall/);
    });

    for (const rate of ['0', '101', '1.5', 'fast', ''])
      it(`no --rate ${JSON.stringify(rate)}`, async () => {
        expect(await refused('--restore', '--rate', rate)).to.contain('write a whole number, 1 to 100');
        expect(await refused(`--rate=${rate}`)).to.contain('1 to 100');
      });

    for (const timeout of ['fast', '10', ''])
      it(`no --restore-timeout ${JSON.stringify(timeout)}`, async () => {
        expect(await refused('--restore', '--restore-timeout', timeout)).to.contain('write a duration such as 10m');
      });

    it('no flag that neither it nor the operator knows', async () => {
      expect(await refused('--restore=yes')).to.equal('--restore takes no value');
      expect(await refused('--purge')).to.contain('--purge');
      expect(await refused('--namespace', 'NOT A NAME')).to.contain('--namespace: ');
    });
  });
});
