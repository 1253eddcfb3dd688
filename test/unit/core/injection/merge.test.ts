import { expect } from 'chai';
import { POLICY_LABEL } from '../../../../core/injection/policy-label.ts';
import { stored } from './api-server.ts';
import { admitted, mutate } from '../../../support/admitted.ts';
import { templateOf } from '../../../support/example-workload.ts';
import type { Container, Workload } from '../../../support/example-workload.ts';
import { applyManifest } from './manifest-apply.ts';
import { Random, randomJson } from '../../../support/random.ts';
import { randomLookalikes, randomRule, randomWorkload } from '../../../support/random-workload.ts';

const CASES = 200;

/** Reports the seed with the failure. */
function forManySeeds(check: (random: Random) => void): void {
  for (let seed = 1; seed <= CASES; seed++) {
    try {
      check(new Random(seed));
    } catch (error) {
      if (error instanceof Error) error.message = `seed ${seed}: ${error.message}`;
      throw error;
    }
  }
}

describe(`whatever the template (${CASES} random ones)`, () => {
  it('restore undoes exactly what inject has done', () => {
    forManySeeds((random) => {
      const object = randomWorkload(random);
      expect(admitted(admitted(object, randomRule(random)))).to.deep.equal(object);
    });
  });

  it('a second admission of what the API server has stored changes nothing', () => {
    forManySeeds((random) => {
      const object = stored(randomWorkload(random));
      const rule = randomRule(random);
      const first = stored(admitted(object, rule));
      expect(mutate(first, rule).patch).to.deep.equal([]);
    });
  });

  it('another version of the manifest, applied to the injected object, ends as if it had been applied afresh', () => {
    forManySeeds((random) => {
      // A manifest that newly takes one of our names for a volume is another matter: see restore.test.ts.
      const lookalikes = randomLookalikes(random);
      const [first, second] = [randomWorkload(random, lookalikes), randomWorkload(random, lookalikes)];
      const [before, after] = [randomRule(random), randomRule(random)];
      const live = applyManifest(first, second, admitted(first, before), (length) => random.upTo(length));
      expect(admitted(live)).to.deep.equal(second);
      const { injected, ...annotations } = ours(admitted(live, after));
      const { injected: expected, ...others } = ours(admitted(second, after));
      expect(annotations).to.deep.equal(others);
      // The generation in the annotation may be that of an equal rule before.
      expect(injected?.split('/')[2]).to.equal(expected?.split('/')[2]);
      expect(withoutOurs(admitted(live, after))).to.deep.equal(withoutOurs(admitted(second, after)));
    });
  });

  it('the same manifest again is no change: the generation stays', () => {
    forManySeeds((random) => {
      const manifest = randomWorkload(random);
      const rule = randomRule(random);
      const live = stored(admitted(manifest, rule));
      for (let times = 0; times < 3; times++) {
        const request = stored(applyManifest(manifest, manifest, live, (length) => random.upTo(length)));
        expect(admitted(request, rule)).to.deep.equal(live);
      }
    });
  });

  it('what was injected before there was the label of the policy is not changed for it alone', () => {
    forManySeeds((random) => {
      const rule = randomRule(random);
      const live = stored(admitted(randomWorkload(random), rule));
      if (templateOf(live).metadata.labels[POLICY_LABEL] === rule.policy.name)
        Reflect.deleteProperty(templateOf(live).metadata.labels, POLICY_LABEL);
      expect(mutate(live, rule).patch).to.deep.equal([]);
    });
  });

  it('a record that is lost or damaged loses no word of a program and leaves nothing behind', () => {
    forManySeeds((random) => {
      const object = randomWorkload(random);
      const rule = randomRule(random);
      const injected = admitted(object, rule);
      const damaged = damage(injected, random);
      expect(programs(admitted(damaged, rule)), 'injected').to.deep.equal(programs(injected));
      expect(names(admitted(damaged, rule)), 'added').to.deep.equal(names(injected));
      const gone = admitted(damaged);
      expect(names(gone), 'left').to.deep.equal(names(object));
      for (const [name, words] of Object.entries(programs(object))) {
        // Where the image's entrypoint was wrapped, it is written out now.
        const entrypoint = words[0] === 'image' ? ['/entrypoint', ...(words.length > 1 ? [] : ['serve', 'all'])] : [];
        const expected = [...entrypoint, ...words.filter((word) => word !== 'image')];
        const isWrapped = programs(injected)[name]?.[0] === '/vault-env/vault-env';
        if (isWrapped) expect(programs(gone)[name], name).to.deep.equal(expected);
      }
    });
  });

  it('whatever JSON comes, there is an answer and its patch applies', () => {
    const keys = [
      'metadata',
      'spec',
      'template',
      'annotations',
      'labels',
      'containers',
      'initContainers',
      'volumes',
      'env',
      'command',
      'args',
      'name',
      'value',
      'volumeMounts',
      'mountPath',
      'readOnly',
      'livenessProbe',
      'exec',
      'vaultinjection.dev/original',
      'vaultinjection.dev/inject',
      '__proto__',
      'constructor',
    ] as const;
    forManySeeds((random) => {
      const rule = { ...randomRule(random), failurePolicy: 'Ignore' } as const;
      const object = randomJson(random, [...keys], 9) as Workload;
      const { denial } = mutate(object, rule);
      if (denial) expect(denial.reason).to.equal('MalformedObject');
      else admitted(object, rule);
    });
  });

  it('whatever JSON replaces a part of an injected template, there is an answer', () => {
    const keys = ['name', 'command', 'args', 'value', 'mountPath', 'readOnly', 'emptyDir', 'medium', 'exec'] as const;
    forManySeeds((random) => {
      const rule = { ...randomRule(random), failurePolicy: 'Ignore' } as const;
      const object = admitted(randomWorkload(random), rule);
      replaceSomewhere(templateOf(object), () => randomJson(random, [...keys], 3), random);
      const { denial } = mutate(object, rule);
      if (!denial) admitted(admitted(object, rule));
    });
  });
});

const OURS = 'vaultinjection.dev/';

function ours(object: Workload): Partial<Record<string, string>> {
  const annotations = templateOf(object).metadata.annotations as Record<string, string> | undefined;
  const entries = Object.entries(annotations ?? {}).filter(([key]) => key.startsWith(OURS));
  return Object.fromEntries(entries.map(([key, value]) => [key.replace(OURS, ''), value]));
}

function withoutOurs(object: Workload): Workload {
  const copy = structuredClone(object);
  const annotations = templateOf(copy).metadata.annotations as Record<string, string> | undefined;
  for (const key of Object.keys(annotations ?? {}))
    if (key.startsWith(OURS)) Reflect.deleteProperty(annotations ?? {}, key);
  return copy;
}

function allContainers(object: Workload): Container[] {
  const { initContainers = [], containers } = templateOf(object).spec;
  return [...initContainers, ...containers];
}

/** Command and args of each container in one list, `image` in the place of an absent command. */
function programs(object: Workload): Record<string, string[]> {
  const entries = allContainers(object).map((container): [string, string[]] => {
    const { command, args } = container as Partial<Container>;
    return [container.name, [...(command ?? ['image']), ...(args ?? [])]];
  });
  return Object.fromEntries(entries);
}

/** Everything that injection could add twice or leave behind. */
function names(object: Workload): unknown {
  return {
    volumes: (templateOf(object).spec as { volumes?: { name: string }[] }).volumes?.map(({ name }) => name),
    containers: allContainers(object).map((container) => {
      const { name, env, volumeMounts, livenessProbe, lifecycle } = container as Partial<Container>;
      return { name, env: env?.map((variable) => variable.name), volumeMounts, livenessProbe, lifecycle };
    }),
  };
}

/** The object with its record cut off, emptied, forged or gone. */
function damage(object: Workload, random: Random): Workload {
  const copy = structuredClone(object);
  const { metadata } = templateOf(copy);
  const annotations = metadata.annotations as Record<string, string> | undefined;
  const text = annotations?.['vaultinjection.dev/original'];
  if (annotations === undefined || text === undefined) return copy;
  const record = JSON.parse(text) as { containers: { command: unknown }[] };
  for (const entry of record.containers) entry.command = random.pick<unknown>([['/forged'], null, 7]);
  const damages: [() => void, ...(() => void)[]] = [
    () => Reflect.deleteProperty(annotations, 'vaultinjection.dev/original'),
    () => Reflect.deleteProperty(metadata, 'annotations'),
    () => (annotations['vaultinjection.dev/original'] = text.slice(0, random.upTo(text.length - 1))),
    () => (annotations['vaultinjection.dev/original'] = JSON.stringify(record)),
    () => (annotations['vaultinjection.dev/original'] = '{"v":1,"volumes":[],"containers":[]}'),
  ];
  random.pick(damages)();
  return copy;
}

function replaceSomewhere(value: unknown, replacement: () => unknown, random: Random): void {
  if (typeof value !== 'object' || value === null) return;
  const object = value as Record<string, unknown>;
  for (const key of Object.keys(object)) {
    if (random.chance(0.05)) object[key] = replacement();
    else replaceSomewhere(object[key], replacement, random);
  }
}
