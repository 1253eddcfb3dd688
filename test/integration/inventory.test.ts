import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';

import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { Cluster, WRAPPER } from './cluster.ts';
import { container, deployment, policy, type Container } from './manifests.ts';

const REQUESTED = 'vaultinjection.dev/requested';
const APPLY = 'vaultinjection.dev/apply';
const OURS = 'vault-injection-operator-requests';

type Counts = Readonly<Record<string, number>>;

interface Status {
  readonly workloads?: Counts;
  readonly lastAppliedTime?: string;
  readonly lastDenial?: Readonly<Record<string, string>>;
  readonly attention?: readonly Readonly<Record<string, string>>[];
  readonly conflicts?: readonly Readonly<Record<string, unknown>>[];
  readonly conditions?: readonly { type: string; status: string; reason: string; message: string }[];
}

interface Managed {
  readonly manager: string;
  readonly operation: string;
  readonly fieldsV1: Readonly<Record<string, unknown>>;
}

/** No controller runs: the tests themselves say how far pods are. */
describe('the inventory of workloads, on a real API server', function () {
  this.timeout(120_000);
  let plane: ControlPlane;
  let cluster: Cluster;
  let operator: RunningOperator;

  before(async () => {
    plane = await startControlPlane({ controllers: false });
    cluster = new Cluster(plane);
    operator = await startOperator({ controlPlane: plane });
  });
  after(async () => {
    await operator.stop();
    await plane.stop();
  });

  const restart = async (meanwhile: () => Promise<void>): Promise<void> => {
    await operator.stop();
    await meanwhile();
    operator = await startOperator({ controlPlane: plane });
  };

  /** A policy that admits workloads as they are while the webhook is down. */
  const lenient = (namespace: string, name: string, spec: Record<string, unknown> = {}): Record<string, unknown> =>
    policy(namespace, name, { failurePolicy: 'Ignore', ...spec });
  // a rollout goes on when the new pods have been available for the timeout and 5 s
  const withRole = (role: string): Record<string, unknown> => ({
    vault: { address: 'https://vault.example.com:8200', auth: { role }, timeout: '1s' },
  });

  async function statusOf(namespace: string, name: string): Promise<Status> {
    const text = await cluster.kubectl('get', 'vip', name, '-n', namespace, '-o', 'json');
    return (JSON.parse(text) as { status?: Status }).status ?? {};
  }

  /** Waits until the status counts so many in these states, and none in others. */
  async function counted(namespace: string, name: string, counts: Counts): Promise<Status> {
    const matched = Object.values(counts).reduce((sum, count) => sum + count, 0);
    let last: Counts | undefined;
    try {
      return await eventually(
        'the counts',
        async () => {
          const status = await statusOf(namespace, name);
          last = status.workloads;
          const isState = (name: string): boolean => name !== 'problems' && name !== 'conflicts';
          const seen = Object.entries(last ?? {}).filter(([name, count]) => count > 0 && isState(name));
          const wanted = matched === 0 ? {} : { ...counts, matched };
          const isSame =
            last !== undefined && JSON.stringify(sorted(Object.fromEntries(seen))) === JSON.stringify(sorted(wanted));
          return isSame ? status : undefined;
        },
        40_000,
      );
    } catch {
      throw new Error(`${namespace}/${name} counts ${JSON.stringify(last)}, not ${JSON.stringify(counts)}`);
    }
  }

  const annotationOf = async (namespace: string, name: string, key = REQUESTED): Promise<string | undefined> =>
    (await cluster.get(namespace, name)).metadata.annotations?.[key];
  const isInjected = async (namespace: string, name: string): Promise<boolean> =>
    (await cluster.get(namespace, name)).spec.template.spec.containers[0]?.command?.[0] === WRAPPER;

  async function becomesInjected(namespace: string, ...names: string[]): Promise<void> {
    for (const name of names) {
      await eventually(`${name} to be injected`, async () => ((await isInjected(namespace, name)) ? true : undefined));
    }
  }

  /** The number of the newest request. */
  async function attempted(number: number): Promise<void> {
    const isAsked = async (): Promise<true | undefined> =>
      (await annotationOf('fought', 'web'))?.split('/')[2] === String(number) ? true : undefined;
    await eventually(`attempt ${number}`, isAsked, 40_000);
    await becomesInjected('fought', 'web');
  }

  /** Says that all pods of the newest template are there. */
  async function podsAreThere(namespace: string, name: string): Promise<void> {
    const { metadata, spec } = await cluster.get(namespace, name);
    const replicas = spec.replicas;
    const status = {
      observedGeneration: metadata.generation,
      ...(replicas > 0 && {
        replicas,
        updatedReplicas: replicas,
        readyReplicas: replicas,
        availableReplicas: replicas,
      }),
    };
    await patchStatus(namespace, name, status);
  }

  async function patchStatus(namespace: string, name: string, status: unknown): Promise<void> {
    const how = ['--subresource=status', '--type=merge', '-p', JSON.stringify({ status })];
    await cluster.kubectl('patch', 'deployment', name, '-n', namespace, ...how);
  }

  /** Another program puts the bare template back. */
  async function takeOut(namespace: string, name: string): Promise<void> {
    const { spec } = deployment(namespace, name);
    const patch = JSON.stringify([{ op: 'replace', path: '/spec/template', value: spec.template }]);
    const by = ['--type=json', '--field-manager=rogue'];
    await cluster.kubectl('patch', 'deployment', name, '-n', namespace, ...by, '-p', patch);
    expect(await isInjected(namespace, name), 'taken out').to.equal(false);
  }

  it('lists a workload that ran before its policy, and injects it when somebody asks', async () => {
    await cluster.namespace('shop');
    await cluster.apply(deployment('shop', 'early'));
    // API servers write times in whole seconds
    await sleep(1_100);
    await cluster.policy(lenient('shop', 'shop'));
    const { attention } = await counted('shop', 'shop', { missed: 1 });
    expect(attention?.[0]).to.deep.include({ name: 'early', state: 'Missed', reason: 'NotAdopted' });
    const [, command = ''] = /(kubectl annotate .*=now)/.exec(attention?.[0]?.message ?? '') ?? [];
    await cluster.kubectl('label', 'vip', 'shop', '-n', 'shop', 'team=shop');
    expect(await annotationOf('shop', 'early'), 'nothing has been asked of it').to.equal(undefined);
    await cluster.kubectl(...command.split(' ').slice(1));
    await becomesInjected('shop', 'early');
  });

  it('injects one that ran before its policy if none of its pods works, or in its turn', async () => {
    await cluster.namespace('adopted');
    for (const name of ['idle', 'works']) {
      const manifest = deployment('adopted', name);
      manifest.spec.replicas = name === 'idle' ? 0 : 2;
      await cluster.apply(manifest);
      await podsAreThere('adopted', name);
    }
    await sleep(1_100);
    await cluster.policy(lenient('adopted', 'adopted'));
    await becomesInjected('adopted', 'idle');
    await counted('adopted', 'adopted', { injected: 1, missed: 1 });
    await cluster.apply(lenient('adopted', 'adopted', { rollout: { strategy: 'Automatic' } }));
    await becomesInjected('adopted', 'works');
    expect(await annotationOf('adopted', 'idle')).to.match(/^Repair\/[0-9a-f]{12}\/1\/\d{4}-/);
    expect(await annotationOf('adopted', 'works')).to.match(/^Adoption\/[0-9a-f]{12}\/1\/\d{4}-/);
  });

  it('injects workloads that were created while it was down, or changed by another program', async () => {
    await cluster.namespace('fought');
    await cluster.policy(lenient('fought', 'fought'));
    await cluster.apply(deployment('fought', 'web'));
    await restart(async () => {
      for (const name of ['away-1', 'away-2', 'away-3']) await cluster.apply(deployment('shop', name));
      expect(await isInjected('shop', 'away-1')).to.equal(false);
      await takeOut('fought', 'web');
    });
    await becomesInjected('shop', 'away-1', 'away-2', 'away-3');
    await attempted(1);
  });

  it('reports it in events', async () => {
    const events = await eventually('both events', async () => {
      const text = await cluster.kubectl('get', 'events', '-n', 'shop', '--field-selector=involvedObject.name=away-1');
      return text.includes('NotInjected') && text.includes('Repaired') ? text : undefined;
    });
    expect(events).to.match(/Warning\s+NotInjected\s+deployment\/away-1/);
    expect(events).to.match(/Normal\s+Repaired\s+deployment\/away-1/);
    const { body } = await operator.health('/metrics');
    expect(body).to.match(/^vault_injection_events_total\{outcome="Written"\} [1-9]/m);
    expect(body).to.match(/^vault_injection_leader 1$/m);
  });

  it('owns annotations of the metadata, and nothing of what was injected', async () => {
    const text = await cluster.kubectl(
      'get',
      'deployment',
      'away-1',
      '-n',
      'shop',
      '-o',
      'json',
      '--show-managed-fields',
    );
    const { managedFields } = (JSON.parse(text) as { metadata: { managedFields: Managed[] } }).metadata;
    const ours = managedFields.filter(({ manager }) => manager === OURS);
    expect(ours.map(({ fieldsV1 }) => fieldsV1)).to.deep.equal([
      { 'f:metadata': { 'f:annotations': { [`f:${REQUESTED}`]: {} } } },
    ]);
  });

  it('notices that somebody undoes it while API servers cannot reach it, and asks once more', async () => {
    // API servers go on without it after the timeout of the webhook configuration
    process.kill(operator.pid, 'SIGSTOP');
    await takeOut('fought', 'web').finally(() => process.kill(operator.pid, 'SIGCONT'));
    await attempted(2);
  });

  it('counts what a change of the rule leaves outdated, and rolls the one that somebody annotates', async () => {
    await cluster.apply(lenient('shop', 'shop', withRole('other')));
    const { attention, lastAppliedTime } = await counted('shop', 'shop', { outdated: 4 });
    expect(attention?.map(({ name, reason }) => `${name} ${reason}`)).to.deep.equal(
      ['away-1', 'away-2', 'away-3', 'early'].map((name) => `${name} InjectionChanged`),
    );
    expect(Date.now() - Date.parse(lastAppliedTime ?? '')).to.be.within(0, 120_000);
    for (const name of ['away-2', 'away-3']) {
      await cluster.kubectl('annotate', 'deployment', name, '-n', 'shop', `${APPLY}=now`);
      await eventually('the annotation to be taken away', async () =>
        (await annotationOf('shop', name, APPLY)) === undefined ? true : undefined,
      );
      expect(JSON.stringify((await cluster.get('shop', name)).spec.template)).to.include('other');
    }
  });

  it('rolls two at a time if the policy says so, waits for their pods, and stops at a failure', async () => {
    await cluster.namespace('rolled');
    const spec = { ...withRole('shop'), rollout: { strategy: 'Automatic', maxConcurrent: 2 } };
    await cluster.policy(lenient('rolled', 'auto', spec));
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) {
      const manifest = deployment('rolled', name);
      manifest.spec.replicas = 2;
      await cluster.apply(manifest);
      await podsAreThere('rolled', name);
    }
    const rolled = async (): Promise<string> => {
      const found = await Promise.all(names.map(async (name) => [name, await annotationOf('rolled', name)] as const));
      return found.flatMap(([name, request]) => (request?.startsWith('Rollout/') ? [name] : [])).join('');
    };
    const becomesRolled = (wanted: string): Promise<true> =>
      eventually(`${wanted} to be rolled`, async () => ((await rolled()) === wanted ? true : undefined));
    await cluster.apply(lenient('rolled', 'auto', { ...spec, ...withRole('other') }));
    await becomesRolled('ab');
    await podsAreThere('rolled', 'b');
    await becomesRolled('abc');
    const { generation } = (await cluster.get('rolled', 'a')).metadata;
    const failed = { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message: 'no pod came' };
    await patchStatus('rolled', 'a', { observedGeneration: generation, conditions: [failed] });
    await cluster.policyIs('rolled', 'auto', 'Stalled', 'True');
    await podsAreThere('rolled', 'c');
    const stalled = (await statusOf('rolled', 'auto')).conditions?.find(({ type }) => type === 'Stalled');
    expect(stalled).to.deep.include({ reason: 'RolloutFailed' });
    expect(stalled?.message).to.include('Deployment/a').and.to.include('no pod came');
    await cluster.policyIs('rolled', 'auto', 'Ready', 'True');
    expect(await rolled(), 'nothing goes on').to.equal('abc');
    await patchStatus('rolled', 'a', { conditions: [] });
    await podsAreThere('rolled', 'a');
    await becomesRolled('abcd');
  });

  it('says which workloads are denied, failed and excluded, and why', async () => {
    await cluster.namespace('bank');
    const refersTo = (path: string): Container =>
      container('app', { env: [{ name: 'KEY', value: `vault:${path}#key` }] });
    const unknown = container('app', { image: 'registry.invalid/none:1' });
    delete unknown.command;
    await cluster.apply(deployment('bank', 'denied', [refersTo('secret/data/bank/x')]));
    await cluster.apply(deployment('bank', 'failed', [unknown]));
    await cluster.apply(deployment('bank', 'nothing', [container('app', { env: [] })]));
    const out = deployment('bank', 'out');
    out.metadata.annotations = { 'vaultinjection.dev/inject': 'false' };
    await cluster.apply(out);
    await cluster.policy(lenient('bank', 'bank', { environment: { allowedPaths: ['secret/data/shop/*'] } }));
    const { attention } = await counted('bank', 'bank', { denied: 1, failed: 1, excluded: 2 });
    expect(attention?.map(({ name, state, reason }) => [name, state, reason])).to.deep.equal([
      ['denied', 'Denied', 'PathNotAllowed'],
      ['failed', 'Failed', 'EntrypointUnknown'],
    ]);
    expect(await annotationOf('bank', 'denied')).to.equal(undefined);
  });

  it('notes the last denial', async () => {
    const bad = deployment('bank', 'refused', [
      container('app', { env: [{ name: 'KEY', value: 'vault:secret/data/x#key' }] }),
    ]);
    const refusal = await cluster.apply(bad).catch((error: unknown) => (error as Error).message);
    expect(refusal).to.include('denied');
    const denial = await eventually('lastDenial', async () => (await statusOf('bank', 'bank')).lastDenial);
    expect(denial).to.deep.include({ kind: 'Deployment', name: 'refused', reason: 'PathNotAllowed' });
    expect(Date.now() - Date.parse(denial.time ?? '')).to.be.within(0, 60_000);
    const { workloads } = await statusOf('bank', 'bank');
    expect(workloads?.matched, 'the rest of the status is as it was').to.equal(4);
  });

  it('reports on both policies that match the same workloads', async () => {
    await cluster.apply(lenient('bank', 'winner', { priority: 5, selector: { matchLabels: { app: 'out' } } }));
    const { conflicts } = await counted('bank', 'winner', { excluded: 1 });
    expect(conflicts).to.deep.equal([{ policy: 'bank', wins: true, workloads: 1, example: 'Deployment/out' }]);
    const loser = await counted('bank', 'bank', { denied: 1, failed: 1, excluded: 1 });
    expect(loser.conflicts).to.deep.equal([{ policy: 'winner', wins: false, workloads: 1, example: 'Deployment/out' }]);
  });

  it('shows it in columns', async () => {
    const [header = '', ...lines] = (await cluster.kubectl('get', 'vip', '-n', 'bank')).trim().split('\n');
    const columns = header.split(/\s+/);
    expect(columns).to.include.members([
      'READY',
      'REASON',
      'VAULT',
      'MATCHED',
      'INJECTED',
      'OUTDATED',
      'PROBLEMS',
      'CONFLICTS',
      'LAST-APPLIED',
    ]);
    const values = lines.find((line) => line.startsWith('bank'))?.split(/\s+/) ?? [];
    expect(values[columns.indexOf('MATCHED')]).to.equal('3');
    expect(values[columns.indexOf('PROBLEMS')]).to.equal('2');
    expect(values[columns.indexOf('CONFLICTS')]).to.equal('1');
    // nothing answers at the address of the tests
    expect(values[columns.indexOf('VAULT')]).to.match(/^(NameUnknown|Unreachable|Timeout)$/);
  });

  it('leaves workloads of a suspended policy alone until it is in force again', async () => {
    await cluster.namespace('paused');
    await cluster.apply(lenient('paused', 'paused', { suspend: true }));
    await cluster.policyIs('paused', 'paused', 'Ready', 'False');
    await cluster.apply(deployment('paused', 'web'));
    expect((await statusOf('paused', 'paused')).workloads).to.equal(undefined);
    expect(await isInjected('paused', 'web')).to.equal(false);
    await cluster.apply(lenient('paused', 'paused'));
    await counted('paused', 'paused', { missed: 1 });
    await cluster.kubectl('annotate', 'deployment', 'web', '-n', 'paused', `${APPLY}=now`);
    await counted('paused', 'paused', { injected: 1 });
    await cluster.apply(lenient('paused', 'paused', { suspend: true }));
    await eventually('the counts to be gone', async () =>
      (await statusOf('paused', 'paused')).workloads === undefined ? true : undefined,
    );
    expect(await isInjected('paused', 'web'), 'and takes nothing out by itself').to.equal(true);
  });

  it('forgets the workloads of a policy that is deleted, and does not touch them', async () => {
    const before = (await cluster.get('paused', 'web')).metadata.resourceVersion;
    await cluster.apply(lenient('paused', 'paused'));
    await counted('paused', 'paused', { injected: 1 });
    const injected = async (): Promise<number> => {
      const { body } = await operator.health('/metrics');
      return Number(/^vault_injection_workloads\{state="Injected"\} (\d+)$/m.exec(body)?.[1]);
    };
    const all = await injected();
    await cluster.kubectl('delete', 'vip', 'paused', '-n', 'paused');
    await eventually('it to be forgotten', async () => ((await injected()) === all - 1 ? true : undefined));
    expect((await cluster.get('paused', 'web')).metadata.resourceVersion).to.equal(before);
  });

  it('comes to the same result after a restart', async () => {
    await counted('shop', 'shop', { injected: 2, outdated: 2 });
    await counted('rolled', 'auto', { injected: 4 });
    const policies = [
      ['shop', 'shop'],
      ['rolled', 'auto'],
      ['bank', 'bank'],
      ['bank', 'winner'],
    ] as const;
    const statuses = (): Promise<unknown> =>
      Promise.all(policies.map(async ([namespace, name]) => withoutTransitions(await statusOf(namespace, name))));
    const before = await statuses();
    await restart(() => takeOut('fought', 'web'));
    await attempted(3);
    await eventually('all to be known', async () => {
      const { body } = await operator.health('/metrics');
      return /^vault_injection_workloads\{state="Failed"\} 1$/m.test(body) ? true : undefined;
    });
    await sleep(3_000); // for whatever it might want to write
    expect(await statuses()).to.deep.equal(before);
  });

  it('gives up after the third time that another program removes the injection, and says which', async () => {
    await restart(() => takeOut('fought', 'web'));
    await cluster.policyIs('fought', 'fought', 'Stalled', 'True');
    const status = await statusOf('fought', 'fought');
    const stalled = status.conditions?.find(({ type }) => type === 'Stalled');
    expect(stalled?.reason).to.equal('RepairUndone');
    expect(stalled?.message).to.include('rogue').and.to.include('Deployment/web');
    const table = await cluster.kubectl('get', 'vip', 'fought', '-n', 'fought', '--no-headers');
    expect(table).to.include('RepairUndone');
    const events = await cluster.kubectl(
      'get',
      'events',
      '-n',
      'fought',
      '--field-selector=involvedObject.name=fought',
    );
    expect(events).to.match(/Warning\s+RepairUndone\s+vaultinjectionpolicy\/fought\s+Stalled: /);
    expect(status.conditions?.find(({ type }) => type === 'Ready')?.status).to.equal('True');
    expect((await annotationOf('fought', 'web'))?.split('/')[2], 'no fourth touch').to.equal('3');
    await cluster.kubectl('annotate', 'deployment', 'web', '-n', 'fought', `${APPLY}=now`);
    await becomesInjected('fought', 'web');
    await eventually('it not to be stalled', async () => {
      const { conditions } = await statusOf('fought', 'fought');
      return conditions?.some(({ type }) => type === 'Stalled') === false ? true : undefined;
    });
  });

  it('rolls an upgrade of the injector as it does a change of the policy', async () => {
    const image = 'registry.example.com/vault-env:2';
    await operator.stop();
    // the last one of the rollout before, which would hold its slot
    await podsAreThere('rolled', 'd');
    operator = await startOperator({ controlPlane: plane, injectorImage: image });
    await counted('shop', 'shop', { outdated: 4 });
    const isUpgraded = async (name: string): Promise<true | undefined> =>
      JSON.stringify((await cluster.get('rolled', name)).spec.template).includes(`"image":"${image}"`) || undefined;
    for (const names of [
      ['a', 'b'],
      ['c', 'd'],
    ]) {
      for (const name of names) await eventually(`${name} to have the new image`, () => isUpgraded(name));
      for (const name of names) await podsAreThere('rolled', name);
    }
    await counted('rolled', 'auto', { injected: 4 });
  });
});

/** A restart says for a moment that nothing is programmed. */
function withoutTransitions({ conditions = [], ...status }: Status): unknown {
  return { ...status, conditions: conditions.map((condition) => ({ ...condition, lastTransitionTime: '' })) };
}

function sorted(counts: Counts): [string, number][] {
  return Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1));
}
