import { setTimeout as sleep } from 'node:timers/promises';

import { expect } from 'chai';

import { asObject } from '../../core/json.ts';
import type { RawObject } from '../../core/json.ts';
import { KINDS, templateOf, WORKLOAD_KINDS } from '../../core/kinds.ts';
import type { BuiltInKind } from '../../core/kinds.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import { startControlPlane } from '../support/control-plane.ts';
import { eventually, startOperator } from '../support/operator.ts';
import type { RunningOperator } from '../support/operator.ts';
import { Cluster, WRAPPER } from './cluster.ts';
import { container, policy } from './manifests.ts';
import { workload } from './workload-manifests.ts';
import type { AnyWorkload } from './workload-manifests.ts';

/** Every kind on a real API server with its controllers, through all that people do to it. */

const NAMESPACE = 'kinds';
const INJECT = 'vaultinjection.dev/inject';
const TEMPLATE_CHANGES = WORKLOAD_KINDS.filter((kind) => KINDS[kind].templateMayChange);
const IMMUTABLE = WORKLOAD_KINDS.filter((kind) => !KINDS[kind].templateMayChange);
// those that `kubectl rollout` knows
const ROLLED = ['Deployment', 'StatefulSet', 'DaemonSet'] as const;

describe('every kind on a real API server', function () {
  this.timeout(120_000);
  let plane: ControlPlane;
  let operator: RunningOperator | undefined;
  let cluster: Cluster;

  before(async () => {
    plane = await startControlPlane();
    operator = await startOperator({ controlPlane: plane });
    cluster = new Cluster(plane);
    await cluster.namespace(NAMESPACE);
    await cluster.policy(all());
  });
  after(async () => {
    await operator?.stop();
    await plane.stop();
  });

  function all(spec: Record<string, unknown> = {}): { metadata?: unknown } {
    return policy(NAMESPACE, 'all', { targets: WORKLOAD_KINDS, failurePolicy: 'Ignore', ...spec });
  }

  /** Its pods are never scheduled: there is no node. */
  function manifestOf(kind: BuiltInKind, name: string, image = 'registry.example.com/shop:1'): AnyWorkload {
    const containers = [container('app', { image })];
    return workload(kind, { name: nameOf(kind, name), namespace: NAMESPACE, containers });
  }

  const nameOf = (kind: BuiltInKind, name: string): string => `${name}-${kind.toLowerCase()}`;
  const reference = (kind: BuiltInKind, name: string): string => `${kind.toLowerCase()}/${nameOf(kind, name)}`;

  async function live(kind: BuiltInKind, name: string): Promise<RawObject> {
    return JSON.parse(await cluster.kubectl('get', reference(kind, name), '-n', NAMESPACE, '-o', 'json')) as RawObject;
  }

  interface LiveContainer {
    readonly name: string;
    readonly image: string;
    readonly command?: readonly string[];
    readonly args?: readonly string[];
  }

  async function appOf(kind: BuiltInKind, name: string): Promise<LiveContainer | undefined> {
    const spec = asObject(templateOf(kind, await live(kind, name))?.spec);
    return (spec?.containers as readonly LiveContainer[]).find((one) => one.name === 'app');
  }

  async function expectInjected(kind: BuiltInKind, name: string): Promise<void> {
    const app = await appOf(kind, name);
    expect(app?.command).to.deep.equal([WRAPPER]);
    expect(app?.args, 'once').to.deep.equal(['--', '/bin/shop', 'serve', '--port=8080']);
  }

  async function expectOriginal(kind: BuiltInKind, name: string): Promise<void> {
    const app = await appOf(kind, name);
    expect([app?.command, app?.args]).to.deep.equal([['/bin/shop'], ['serve', '--port=8080']]);
    const { initContainers, volumes = [] } = (asObject(templateOf(kind, await live(kind, name))?.spec) ?? {}) as {
      initContainers?: unknown;
      volumes?: readonly { name: string }[];
    };
    expect(initContainers).to.equal(undefined);
    expect(volumes.filter((volume) => volume.name.startsWith('vault-env'))).to.deep.equal([]);
  }

  /** What must not change: the pod template; of a pod, whose annotations its writers keep, the spec. */
  async function versionOf(kind: BuiltInKind, name: string): Promise<string> {
    const template = templateOf(kind, await live(kind, name));
    return JSON.stringify(kind === 'Pod' ? template?.spec : template);
  }

  async function remove(kind: BuiltInKind, name: string): Promise<void> {
    await cluster.kubectl(
      'delete',
      reference(kind, name),
      '-n',
      NAMESPACE,
      '--grace-period=0',
      '--force',
      '--wait=false',
    );
  }

  for (const kind of WORKLOAD_KINDS) {
    describe(kind, () => {
      it('is injected when it is created', async () => {
        await cluster.apply(manifestOf(kind, 'made'));
        await expectInjected(kind, 'made');
      });

      it('stays as it is when its manifest is applied again', async () => {
        const before = await versionOf(kind, 'made');
        for (let times = 0; times < 3; times++) await cluster.apply(manifestOf(kind, 'made'));
        expect(await versionOf(kind, 'made')).to.equal(before);
      });

      it('stays as it is when its manifest is applied by the server, for the first time and again', async () => {
        const before = await versionOf(kind, 'made');
        for (let times = 0; times < 3; times++)
          await cluster.apply(manifestOf(kind, 'made'), '--server-side', '--force-conflicts', '--field-manager=ci');
        expect(await versionOf(kind, 'made')).to.equal(before);
      });

      it('is left alone by an annotation, and by an edit of its labels', async () => {
        const before = await versionOf(kind, 'made');
        await cluster.kubectl('annotate', reference(kind, 'made'), '-n', NAMESPACE, 'team=night');
        if (kind !== 'Pod') await cluster.kubectl('label', reference(kind, 'made'), '-n', NAMESPACE, 'tier=back');
        if (kind === 'Pod') await expectInjected(kind, 'made');
        else expect(await versionOf(kind, 'made')).to.equal(before);
      });
    });
  }

  for (const kind of TEMPLATE_CHANGES) {
    describe(`${kind}, whose template may change`, () => {
      it('stays injected, once, when its template changes', async () => {
        await cluster.apply(
          manifestOf(kind, 'made', 'registry.example.com/shop:2'),
          '--server-side',
          '--force-conflicts',
          '--field-manager=ci',
        );
        expect((await appOf(kind, 'made'))?.image).to.equal('registry.example.com/shop:2');
        await expectInjected(kind, 'made');
      });

      it('gets its own command back while an annotation excludes it, and is injected after', async () => {
        await cluster.apply(manifestOf(kind, 'excluded'));
        await cluster.kubectl('annotate', reference(kind, 'excluded'), '-n', NAMESPACE, `${INJECT}=false`);
        await expectOriginal(kind, 'excluded');
        await cluster.kubectl('annotate', reference(kind, 'excluded'), '-n', NAMESPACE, `${INJECT}-`);
        await expectInjected(kind, 'excluded');
        await remove(kind, 'excluded');
      });
    });
  }

  for (const kind of ROLLED) {
    describe(`${kind}, which kubectl rolls`, () => {
      it('stays injected, once, when it is restarted', async () => {
        const before = await versionOf(kind, 'made');
        await cluster.kubectl('rollout', 'restart', reference(kind, 'made'), '-n', NAMESPACE);
        expect(await versionOf(kind, 'made')).not.to.equal(before);
        await expectInjected(kind, 'made');
      });

      it('is injected by the present policy when a change is undone', async () => {
        await cluster.apply(manifestOf(kind, 'undone'));
        await observed(kind, 'undone');
        await cluster.apply(manifestOf(kind, 'undone', 'registry.example.com/shop:2'));
        await observed(kind, 'undone');
        await cluster.kubectl('rollout', 'undo', reference(kind, 'undone'), '-n', NAMESPACE);
        expect((await appOf(kind, 'undone'))?.image).to.equal('registry.example.com/shop:1');
        await expectInjected(kind, 'undone');
        await remove(kind, 'undone');
      });
    });
  }

  /** Waits until its controller has made a revision of its newest template. */
  async function observed(kind: BuiltInKind, name: string): Promise<void> {
    await eventually(`the controller of ${reference(kind, name)}`, async () => {
      const object = await live(kind, name);
      return asObject(object.status)?.observedGeneration === asObject(object.metadata)?.generation ? true : undefined;
    });
  }

  for (const kind of IMMUTABLE) {
    describe(`${kind}, whose template never changes`, () => {
      it('may be applied again after the policy has changed, and keeps what it has', async () => {
        const before = await versionOf(kind, 'made');
        await cluster.policy(
          all({ vault: { address: 'https://vault.example.com:8200', namespace: 'other', auth: { role: 'shop' } } }),
        );
        await cluster.apply(manifestOf(kind, 'made'));
        await cluster.apply(manifestOf(kind, 'made'), '--server-side', '--force-conflicts', '--field-manager=ci');
        expect(await versionOf(kind, 'made')).to.equal(before);
        await cluster.policy(all());
      });

      it('keeps its injection where an annotation excludes it, and says what to do', async () => {
        const { metadata, ...rest } = manifestOf(kind, 'made');
        const annotated = { ...rest, metadata: { ...metadata, annotations: { [INJECT]: 'false' } } };
        const said = await cluster.apply(annotated);
        await expectInjected(kind, 'made');
        if (kind === 'Job') expect(said).to.contain('delete it, and create it again');
      });
    });
  }

  describe('what controllers make', () => {
    const made = async (resource: string, prefix: string): Promise<readonly RawObject[]> => {
      const list = JSON.parse(await cluster.kubectl('get', resource, '-n', NAMESPACE, '-o', 'json')) as {
        items: { metadata: { name: string; ownerReferences?: unknown } }[];
      };
      return list.items.filter(({ metadata }) => metadata.name.startsWith(prefix));
    };
    const commandsOf = (kind: BuiltInKind, objects: readonly RawObject[]): readonly unknown[] =>
      objects.flatMap((object) =>
        (asObject(templateOf(kind, object)?.spec)?.containers as readonly LiveContainer[]).map(({ args }) =>
          args?.join(' '),
        ),
      );
    const ONCE = '-- /bin/shop serve --port=8080';

    it('of an injected template has its injection, and no second one', async () => {
      for (const kind of ['ReplicaSet', 'ReplicationController', 'DaemonSet', 'StatefulSet', 'Job'] as const) {
        if (kind === 'DaemonSet') continue; // there is no node
        const pods = await eventually(`pods of the ${kind}`, async () => {
          const found = await made('pods', `made-${kind.toLowerCase()}-`);
          return found.length > 0 ? found : undefined;
        });
        expect(new Set(commandsOf('Pod', pods)), kind).to.deep.equal(new Set([ONCE]));
      }
    });

    it('kubectl create job --from has the injection of the CronJob', async () => {
      const name = reference('CronJob', 'made');
      await cluster.kubectl('create', 'job', 'by-hand', `--from=${name}`, '-n', NAMESPACE);
      expect(commandsOf('Job', await made('jobs', 'by-hand'))).to.deep.equal([ONCE]);
      const [pod] = await eventually('a pod of it', async () => {
        const found = await made('pods', 'by-hand-');
        return found.length > 0 ? found : undefined;
      });
      expect(commandsOf('Pod', pod === undefined ? [] : [pod])).to.deep.equal([ONCE]);
    });

    it('the schedule of a CronJob makes injected Jobs, one after the other, which count nowhere else', async () => {
      const { spec, ...rest } = manifestOf('CronJob', 'often');
      await cluster.apply({ ...rest, spec: { ...(spec as object), schedule: '* * * * *' } });
      const jobs = await eventually(
        'a Job by the schedule',
        async () => {
          const found = await made('jobs', 'often-cronjob-');
          return found.length > 0 ? found : undefined;
        },
        90_000,
      );
      expect(new Set(commandsOf('Job', jobs))).to.deep.equal(new Set([ONCE]));
      await remove('CronJob', 'often');
    });

    it('a suspended Job that is resumed after its policy has changed starts with what it was created with', async () => {
      const { spec, ...rest } = manifestOf('Job', 'suspended');
      await cluster.apply({ ...rest, spec: { ...(spec as object), suspend: true } });
      const before = await versionOf('Job', 'suspended');
      await cluster.policy(
        all({ vault: { address: 'https://vault.example.com:8200', namespace: 'other', auth: { role: 'shop' } } }),
      );
      await cluster.kubectl(
        'patch',
        reference('Job', 'suspended'),
        '-n',
        NAMESPACE,
        '-p',
        '{"spec":{"suspend":false}}',
      );
      expect(await versionOf('Job', 'suspended')).to.equal(before);
      const pods = await eventually('its pod', async () => {
        const found = await made('pods', 'suspended-job-');
        return found.length > 0 ? found : undefined;
      });
      expect(commandsOf('Pod', pods)).to.deep.equal([ONCE]);
      await cluster.policy(all());
    });
  });

  describe('what was created while the webhook was away', () => {
    before(async () => {
      await operator?.stop();
      operator = undefined;
      for (const kind of WORKLOAD_KINDS) await cluster.apply(manifestOf(kind, 'missed'));
      for (const kind of WORKLOAD_KINDS) await expectOriginal(kind, 'missed');
      operator = await startOperator({ controlPlane: plane, prepare: false });
      await cluster.policyIs(NAMESPACE, 'all', 'Ready', 'True');
    });

    for (const kind of TEMPLATE_CHANGES)
      it(`is repaired: ${kind}`, async () => {
        await eventually('the repair', async () =>
          (await appOf(kind, 'missed'))?.command?.[0] === WRAPPER ? true : undefined,
        );
        await expectInjected(kind, 'missed');
      });

    it('is told where it cannot be repaired: Job', async () => {
      const told = await eventually('the Job in the status', async () => {
        const found = await cluster.kubectl('get', 'vip', 'all', '-n', NAMESPACE, '-o', 'json');
        const { status } = JSON.parse(found) as {
          status: { attention?: readonly { kind: string; name: string; state: string; message?: string }[] };
        };
        return status.attention?.find(({ kind, name }) => kind === 'Job' && name === nameOf('Job', 'missed'));
      });
      expect(told.state).to.equal('Missed');
      expect(told.message).to.contain('delete it, and create it again');
      await sleep(1_000);
      await expectOriginal('Job', 'missed');
    });

    it('stays as it was created: Pod', () => expectOriginal('Pod', 'missed'));
  });

  describe('when the policy is deleted', () => {
    before(() => cluster.kubectl('delete', 'vip', 'all', '-n', NAMESPACE));

    for (const kind of TEMPLATE_CHANGES)
      it(`has its own command back at its next change: ${kind}`, async () => {
        await eventually('its restoration', async () => {
          await cluster.kubectl(
            'annotate',
            '--overwrite',
            reference(kind, 'made'),
            '-n',
            NAMESPACE,
            `look=${Date.now()}`,
          );
          return (await appOf(kind, 'made'))?.command?.[0] === '/bin/shop' ? true : undefined;
        });
        await expectOriginal(kind, 'made');
      });

    it('keeps what it has, and may be applied again: Job', async () => {
      await expectInjected('Job', 'made');
      await cluster.apply(manifestOf('Job', 'made'));
      await expectInjected('Job', 'made');
    });
  });
});
