import { expect } from 'chai';

import { admitted, mutate } from '../../../support/admitted.ts';
import { applyPatch } from '../../../support/apply-patch.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { container, containerOf, deployment, recordOf, templateOf } from '../../../support/example-workload.ts';
import type { Workload } from '../../../support/example-workload.ts';
import { Random } from '../../../support/random.ts';
import { randomRule, randomWorkload } from '../../../support/random-workload.ts';

type Fields = Record<string, unknown>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Everything that admission has generated in a workload, by reference. */
function generatedIn(live: Workload): { installer: Fields | undefined; volumes: Fields[]; others: Fields[] } {
  const { volumes: names } = recordOf(live);
  const spec = templateOf(live).spec as unknown as Record<string, Fields[] | undefined>;
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  const installer = containers.find((one) => String(one.args).startsWith('--install,'));
  const wrapped = new Set(recordOf(live).containers.map(({ name }) => name));
  const others = containers
    .filter(({ name }) => wrapped.has(String(name)))
    .flatMap(({ env, volumeMounts }) => [
      ...(env as Fields[]).filter(({ name }) => name === 'VAULT_ENV_CONFIG'),
      ...(volumeMounts as Fields[]).filter(({ name }) => names.includes(String(name))),
    ]);
  return { installer, volumes: (spec.volumes ?? []).filter(({ name }) => names.includes(String(name))), others };
}

/** Adds fields to an object and to all objects in it, as a webhook or a newer API server might. */
function addFields(random: Random, object: Fields, isDeep = true): void {
  for (const value of Object.values(object)) {
    if (isFields(value)) addFields(random, value);
    if (Array.isArray(value)) for (const item of value) if (isFields(item)) addFields(random, item);
  }
  if (random.chance(0.5)) object.added = random.pick<unknown>([true, 'x', 7, ['x']]);
  if (isDeep && random.chance(0.3)) object.addedToo = { deep: random.pick<unknown>([true, 'x']) };
}

/** The leaves with a text or a number that are ours, each as what changes it and what it was. */
function leavesOf(object: Fields, path = ''): { path: string; change: () => void }[] {
  return Object.entries(object).flatMap(([key, was]) => {
    const at = `${path}.${key}`;
    if (isFields(was)) return leavesOf(was, at);
    if (typeof was !== 'string' && typeof was !== 'number' && typeof was !== 'boolean') return [];
    const change = (): void => {
      object[key] = typeof was === 'boolean' ? !was : typeof was === 'number' ? was + 1 : `${was}x`;
    };
    return [{ path: at, change }];
  });
}

describe('fields that others add to what injection generates', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = new Random(seed);
    const written = randomWorkload(random);
    const rule = randomRule(random);
    const live = admitted(written, rule);
    if (!JSON.stringify(live).includes('VAULT_ENV_CONFIG')) continue;
    const { installer, volumes, others } = generatedIn(live);
    if (installer !== undefined) addFields(random, installer);
    // a whole object beside the content of a volume is another content
    for (const volume of volumes) addFields(random, volume, false);
    for (const other of others) addFields(random, other, false);

    it(`change nothing, and go with the injection (case ${seed})`, () => {
      expect(mutate(live, rule).patch).to.deep.equal([]);
      const restored = applyPatch(live, mutate(live).patch);
      expect(restored).to.deep.equal(applyPatch(admitted(written, rule), mutate(admitted(written, rule)).patch));
    });

    it(`do not hide that a field of ours has another value (case ${seed})`, () => {
      const changed = structuredClone(live);
      const again = generatedIn(changed).installer;
      if (again === undefined) return;
      // by its name it is known
      const leaves = leavesOf(again).filter(({ path }) => path !== '.name' && !path.includes('added'));
      const leaf = leaves[random.upTo(leaves.length - 1)];
      if (leaf === undefined) throw new Error('unreachable: it has an image');
      leaf.change();
      const { patch } = mutate(changed, rule);
      expect(patch, leaf.path).not.to.deep.equal([]);
      expect(applyPatch(changed, patch), leaf.path).to.deep.equal(live);
    });
  }

  const rule = ruleWith();
  const written = deployment({ containers: [container()], volumes: [{ name: 'theirs', emptyDir: {} }] });

  it('stay with mounts of their own, as long as their volumes are there', () => {
    const live = admitted(written, rule);
    const installer = containerOf(live, 'vault-env');
    const mounts = installer.volumeMounts as Fields[];
    mounts.unshift({ name: 'theirs', mountPath: '/theirs' });
    expect(mutate(live, rule).patch).to.deep.equal([]);
    Object.assign(templateOf(live).spec, {
      volumes: templateOf(live).spec.volumes.filter((v) => v.name !== 'theirs'),
    });
    const after = applyPatch(live, mutate(live, rule).patch) as Workload;
    expect(containerOf(after, 'vault-env').volumeMounts).to.have.length(1);
  });

  it('stay with limits that are not ours, and the quantities as the API server writes them', () => {
    const limited = ruleWith({ injector: { resources: { limits: { memory: '64Mi' } } } });
    const live = admitted(written, limited);
    const { limits } = containerOf(live, 'vault-env').resources as { limits: Record<string, string> };
    Object.assign(limits, { memory: '65536Ki', cpu: '1' });
    expect(mutate(live, limited).patch).to.deep.equal([]);
  });

  it('are told from what an older rule has generated: nothing of that stays', () => {
    const withUser = ruleWith({
      hash: 'bbbbbbbbbbbb',
      injector: { resources: { limits: { cpu: '1', memory: '64Mi' } } },
    });
    expect(applyPatch(admitted(written, withUser), mutate(admitted(written, withUser), rule).patch)).to.deep.equal(
      admitted(written, rule),
    );
  });

  it('are told from the user of the pod, which the init container follows', () => {
    const asUser = deployment({ containers: [container()], securityContext: { runAsUser: 1000 } });
    const live = admitted(asUser, rule);
    Reflect.deleteProperty(templateOf(live).spec, 'securityContext');
    const after = applyPatch(live, mutate(live, rule).patch) as Workload;
    expect(containerOf(after, 'vault-env').securityContext).not.to.have.property('runAsUser');
  });
});
