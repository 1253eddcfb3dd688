import { expect } from 'chai';

import type { KubernetesObject } from '../../../../core/object.ts';
import type { VaultInjectionPolicy } from '../../../../core/policy/policy.generated.ts';
import type { Rule } from '../../../../core/policy/rule.ts';
import { ApiError } from '../../../../kube/object-client.ts';
import { compile, KEY, policy, ReconcilerScene, summaryWith } from '../../../support/reconciler-scene.ts';
import { kindPolicies } from '../../../support/kind-policies.ts';

describe('reconciling a policy', () => {
  let scene: ReconcilerScene;
  beforeEach(async () => {
    scene = await ReconcilerScene.open();
  });

  it('puts its rule in force, has the namespace programmed, watches its Vault, and says so', async () => {
    scene.put(policy());
    await scene.reconcile(KEY);
    expect(scene.generationInForce()).to.equal(1);
    expect(scene.told).to.deep.equal([kindPolicies([['shop', 'Ignore']])]);
    expect([...scene.watched]).to.deep.equal([[KEY, 'https://vault.web:8200']]);
    expect(scene.condition('Ready')).to.equal('True/Active');
  });

  it('says how vault-env gets into pods: as the policy says, or as was chosen, or what it said before', async () => {
    const told = (): unknown => (scene.applied.at(-1)?.object.status as { injector?: unknown }).injector;
    scene.put(policy());
    await scene.reconcile(KEY);
    expect(told()).to.deep.equal({ delivery: 'InitContainer', message: 'spec.injector.delivery is InitContainer' });
    scene.put(policy({ generation: 2, spec: { auto: true } }));
    scene.delivery = { delivery: 'ImageVolume', message: 'all can' };
    await scene.reconcile(KEY);
    expect(told()).to.deep.equal(scene.delivery);
    scene.put({ ...policy({ generation: 3, spec: { auto: true } }), status: { injector: scene.delivery } });
    scene.delivery = undefined;
    await scene.reconcile(KEY);
    expect(told()).to.deep.equal({ delivery: 'ImageVolume', message: 'all can' });
    scene.put(policy({ generation: 4, spec: { suspend: true } }));
    await scene.reconcile(KEY);
    expect(told()).to.equal(undefined);
  });

  it('says why pods get an init container where the policy asks for an image volume', async () => {
    scene.put(policy({ spec: { insteadBecause: 'Kubernetes v1.30.14 has none' } }));
    await scene.reconcile(KEY);
    expect((scene.applied.at(-1)?.object.status as { injector?: unknown }).injector).to.deep.equal({
      delivery: 'InitContainer',
      message: 'spec.injector.delivery is ImageVolume, but Kubernetes v1.30.14 has none',
    });
  });

  it('writes the status by server-side apply, and nothing else', async () => {
    scene.put(policy());
    await scene.reconcile(KEY);
    const { resource, object, options } = scene.applied[0] ?? {};
    expect(resource).to.deep.equal({
      group: 'vaultinjection.dev',
      version: 'v1alpha1',
      plural: 'vaultinjectionpolicies',
      namespace: 'shop',
    });
    expect(object?.metadata).to.deep.equal({ name: 'web', namespace: 'shop' });
    expect(Object.keys(object ?? {})).to.deep.equal(['apiVersion', 'kind', 'metadata', 'status']);
    expect(options).to.deep.equal({ fieldManager: 'vault-injection-operator-status', subresource: 'status' });
  });

  it('writes nothing when nothing has changed, before or after the informer shows the write', async () => {
    scene.put(policy());
    await scene.reconcile(KEY);
    await scene.clock.advance(60_000);
    await scene.reconcile(KEY);
    scene.showWritten(2);
    await scene.reconcile(KEY);
    expect(scene.applied).to.have.length(1);
    expect(scene.told).to.have.length(1);
  });

  it('corrects a status that somebody else has changed', async () => {
    scene.put(policy());
    await scene.reconcile(KEY);
    scene.put({ ...policy({ version: 9 }), status: {} });
    await scene.reconcile(KEY);
    expect(scene.applied).to.have.length(2);
  });

  it('keeps the last good rule in force when a newer generation is rejected', async () => {
    scene.put(policy());
    await scene.reconcile(KEY);
    scene.put(policy({ generation: 2, spec: { fault: true } }));
    await scene.reconcile(KEY);
    expect(scene.generationInForce()).to.equal(1);
    expect(scene.condition('Accepted')).to.equal('False/DurationInvalid');
    expect(scene.condition('Stalled')).to.equal('True/DurationInvalid');
    expect(scene.condition('Programmed')).to.equal('True/Programmed');
    expect(scene.writtenStatus().observedGeneration).to.equal(2);
    expect(scene.writtenStatus().conditions?.[0]?.message).to.match(/generation 1 stays in force/);
    expect(scene.watched.get(KEY)).to.equal('https://vault.web:8200');
  });

  it('puts the fixed generation in force', async () => {
    for (const [generation, spec] of [
      [1, { good: true }],
      [2, { fault: true }],
      [3, { good: true }],
    ] as const) {
      scene.put(policy({ generation, spec }));
      await scene.reconcile(KEY);
    }
    expect(scene.generationInForce()).to.equal(3);
    expect(scene.condition('Stalled')).to.equal('absent');
    expect(scene.condition('Ready')).to.equal('True/Active');
  });

  it('rejects what the schema does not allow, naming each problem', async () => {
    scene.put(policy({ spec: { problems: ['spec.a: is missing', 'spec.b: write a text'] } }));
    await scene.reconcile(KEY);
    expect(scene.generationInForce()).to.equal(undefined);
    expect(scene.condition('Accepted')).to.equal('False/SchemaInvalid');
    expect(scene.writtenStatus().conditions?.[0]?.message).to.match(
      /^spec.a: is missing; spec.b: write a text; no earlier/,
    );
  });

  it('withdraws the rule of a suspended policy, and tells the webhook that the namespace has none', async () => {
    scene.put(policy());
    await scene.reconcile(KEY);
    scene.put(policy({ generation: 2, spec: { suspend: true } }));
    await scene.reconcile(KEY);
    expect(scene.generationInForce()).to.equal(undefined);
    expect(scene.told.at(-1)?.size).to.equal(0);
    expect(scene.condition('Ready')).to.equal('False/Suspended');
    expect(scene.watched.get(KEY)).to.equal(undefined);
  });

  it('withdraws the rule of a deleted policy, and writes nothing', async () => {
    scene.put(policy());
    await scene.reconcile(KEY);
    scene.objects.clear();
    await scene.reconcile(KEY);
    expect(scene.generationInForce()).to.equal(undefined);
    expect(scene.told.at(-1)?.size).to.equal(0);
    expect(scene.watched.has(KEY)).to.equal(false);
    expect(scene.applied).to.have.length(1);
  });

  it('does not keep the rule of a policy that had the same name before', async () => {
    scene.put(policy());
    await scene.reconcile(KEY);
    scene.put(policy({ uid: 'uid-2', version: 7, spec: { fault: true } }));
    await scene.reconcile(KEY);
    expect(scene.generationInForce()).to.equal(undefined);
    expect(scene.condition('Programmed')).to.equal('False/NotAccepted');
  });

  it('asks for Fail if any policy of the namespace does', async () => {
    scene.put(policy());
    scene.put(policy({ name: 'strict', uid: 'uid-2', spec: { failurePolicy: 'Fail' } }));
    await scene.reconcile(KEY);
    await scene.reconcile('shop/strict');
    expect([...(scene.told.at(-1) ?? [])]).to.deep.equal([...kindPolicies([['shop', 'Fail']])]);
  });

  it('is not Ready before API servers call the webhook', async () => {
    scene.programmed.clear();
    scene.put(policy());
    await scene.reconcile(KEY);
    expect(scene.condition('Ready')).to.equal('False/NotProgrammed');
    expect(scene.condition('Reconciling')).to.equal('True/NotProgrammed');
    scene.programmed.add('shop');
    await scene.reconcile(KEY);
    expect(scene.condition('Ready')).to.equal('True/Active');
    expect(scene.condition('Reconciling')).to.equal('absent');
  });

  it('says that a namespace is never injected', async () => {
    scene.excluded.add('shop');
    scene.programmed.clear();
    scene.put(policy());
    await scene.reconcile(KEY);
    expect(scene.condition('Ready')).to.equal('False/NamespaceExcluded');
  });

  it('follows the certificate and the health of Vault', async () => {
    scene.certificateReady = false;
    scene.health = { status: 'False', reason: 'VaultSealed', message: 'sealed' };
    scene.put(policy());
    await scene.reconcile(KEY);
    expect(scene.condition('CertificateReady')).to.equal('False/CertificateNotReady');
    expect(scene.condition('VaultReachable')).to.equal('False/VaultSealed');
    expect(scene.generationInForce()).to.equal(1);
  });

  it('tolerates that the policy is gone by the time its status is written', async () => {
    scene.refusal = new ApiError(404, 'NotFound', 'gone');
    scene.put(policy());
    await scene.reconcile(KEY);
    expect(scene.generationInForce()).to.equal(1);
  });

  for (const [code, reason] of [
    [409, 'Conflict'],
    [500, 'InternalError'],
    [0, 'Unreachable'],
  ] as const) {
    it(`has its rule in force although the status could not be written (${reason}), and writes it later`, async () => {
      scene.refusal = new ApiError(code, reason, reason);
      scene.put(policy());
      const error: unknown = await scene.reconciler.reconcile(KEY).catch((thrown: unknown) => thrown);
      expect(error).to.equal(scene.refusal);
      expect(scene.generationInForce()).to.equal(1);
      scene.refusal = undefined;
      await scene.reconcile(KEY);
      expect(scene.condition('Ready')).to.equal('True/Active');
    });
  }

  it('says whether secrets are watched only if the policy asks for it', async () => {
    const rotatingOf = async (generation: number, spec: object): Promise<string> => {
      scene.put(policy({ generation, spec }));
      await scene.reconcile(KEY);
      return scene.condition('Rotating');
    };
    const rotates = { rotation: { strategy: 'Restart' } };
    expect(await rotatingOf(1, {})).to.equal('absent');
    expect(await rotatingOf(2, rotates)).to.equal('Unknown/RotationPending');
    scene.rotating = { status: 'False', reason: 'RotationLoginRefused', message: 'no' };
    expect([await rotatingOf(3, rotates), scene.condition('Ready')]).to.deep.equal([
      'False/RotationLoginRefused',
      'True/Active',
    ]);
    expect(await rotatingOf(4, {})).to.equal('absent');
  });

  it('leaves the status to the leader, and keeps rules, programming and checks of Vault all the same', async () => {
    scene.leading = false;
    scene.put(policy());
    await scene.reconcile(KEY);
    expect([scene.generationInForce(), scene.told.length, scene.watched.size, scene.applied.length]).to.deep.equal([
      1, 1, 1, 0,
    ]);
  });

  describe('a policy that cannot be used', () => {
    const fault = (generation: number, more: object = {}): KubernetesObject =>
      policy({ generation, spec: { fault: true, ...more } });
    const lastGood = (generation: number): Rule => {
      const compiled = compile(policy({ generation }) as VaultInjectionPolicy);
      if (!compiled.ok || compiled.suspended) throw new Error('not compiled');
      return compiled.rule;
    };

    it('governs by what can be read of it, and keeps its namespace and Fail', async () => {
      scene.put(fault(1, { failurePolicy: 'Fail' }));
      await scene.reconcile(KEY);
      expect(scene.rules.snapshot().unusableFor('shop')).to.have.length(1);
      expect([...(scene.told.at(-1) ?? [])]).to.deep.equal([...kindPolicies([['shop', 'Fail']])]);
      expect(scene.condition('Programmed')).to.equal('False/NotAccepted');
      expect(scene.writtenStatus().conditions?.[0]?.message).to.match(
        /changed templates are refused until this is fixed$/,
      );
    });

    it('says that workloads stay as they are, if it ignores failures', async () => {
      scene.put(fault(1));
      await scene.reconcile(KEY);
      expect(scene.writtenStatus().conditions?.[0]?.message).to.match(
        /workloads stay as they are until this is fixed$/,
      );
    });

    it('counts its workloads', async () => {
      scene.put(fault(1));
      scene.summary = summaryWith(3);
      await scene.reconcile(KEY);
      expect(scene.writtenStatus().workloads?.matched).to.equal(3);
    });

    it('lets go if it is suspended, whatever else is wrong with it', async () => {
      scene.put(fault(1));
      await scene.reconcile(KEY);
      scene.put(policy({ generation: 2, spec: { suspend: true, problems: ['spec.a: is missing'] } }));
      await scene.reconcile(KEY);
      expect([scene.rules.namespaces().size, scene.condition('Ready')]).to.deep.equal([0, 'False/Suspended']);
    });

    it('is in force again with its last good rule after a restart', async () => {
      scene.stored.set('uid-1', lastGood(4));
      scene.put(fault(5));
      await scene.reconcile(KEY);
      expect(scene.generationInForce()).to.equal(4);
      expect(scene.writtenStatus().conditions?.[0]?.message).to.match(/generation 4 stays in force/);
      expect(scene.condition('Programmed')).to.equal('True/Programmed');
    });

    it('says what is wrong with it while its last good rule cannot be read, and looks for that again', async () => {
      scene.noHistory = new ApiError(403, 'Forbidden', 'cannot list controllerrevisions');
      scene.put(fault(5));
      const error: unknown = await scene.reconciler.reconcile(KEY).catch((thrown: unknown) => thrown);
      expect(error).to.equal(scene.noHistory);
      expect(scene.condition('Accepted')).to.equal('False/DurationInvalid');
      scene.noHistory = undefined;
      scene.stored.set('uid-1', lastGood(4));
      await scene.reconcile(KEY);
      expect(scene.generationInForce()).to.equal(4);
      expect(scene.condition('Programmed')).to.equal('True/Programmed');
    });

    it('takes a newer good rule than the one that this process has seen, never an older one', async () => {
      scene.put(policy({ generation: 3 }));
      await scene.reconcile(KEY);
      scene.stored.set('uid-1', lastGood(2));
      scene.put(fault(5));
      await scene.reconcile(KEY);
      expect(scene.generationInForce()).to.equal(3);
      scene.stored.set('uid-1', lastGood(5));
      scene.put(fault(6));
      await scene.reconcile(KEY);
      expect(scene.generationInForce()).to.equal(5);
    });
  });

  it('has the leader alone keep the rule in force for the time when its policy cannot be used', async () => {
    scene.leading = false;
    scene.put(policy());
    await scene.reconcile(KEY);
    expect(scene.kept).to.deep.equal([]);
    scene.leading = true;
    await scene.reconcile(KEY);
    scene.put(policy({ generation: 2, spec: { fault: true } }));
    await scene.reconcile(KEY);
    expect(scene.kept).to.deep.equal([1]);
  });

  it('writes what users wait for before counts, twenty statuses a second', async () => {
    const names = Array.from({ length: 100 }, (_, index) => `p${index}`);
    for (const name of names) {
      scene.put(policy({ name, uid: name }));
      await scene.reconcile(`shop/${name}`);
    }
    expect(scene.applied).to.have.length(40);
    expect(scene.later.map(([, ms]) => ms)).to.deep.equal(names.slice(40).map((_, index) => (index + 1) * 50));
    await scene.clock.advance(1_000);
    for (const [key] of [...scene.later]) await scene.reconcile(key);
    expect(scene.applied).to.have.length(60);
  });

  it('is Programmed when every replica has it in force, and does not ask again for its own status', async () => {
    const asked: string[] = [];
    scene.everywhere = (version) => (asked.push(version), version !== '7');
    scene.put(policy({ version: 7 }));
    await scene.reconcile(KEY);
    expect([scene.condition('Programmed'), scene.condition('Reconciling')]).to.deep.equal([
      'False/NotProgrammed',
      'True/NotProgrammed',
    ]);
    scene.everywhere = (version) => (asked.push(version), true);
    scene.showWritten(8);
    await scene.reconcile(KEY);
    expect(scene.condition('Programmed')).to.equal('True/Programmed');
    expect(new Set(asked)).to.deep.equal(new Set(['7']));
  });
});
