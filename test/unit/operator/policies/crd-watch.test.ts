import { readFileSync } from 'node:fs';

import { expect } from 'chai';
import { Registry } from 'prom-client';
import { parse } from 'yaml';

import type { KubernetesObject } from '../../../../core/object.ts';
import { ApiError } from '../../../../kube/object-client.ts';
import { CrdWatch } from '../../../../operator/policies/crd-watch.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryApi } from '../../../support/memory-api.ts';
import { testLog } from '../../../support/test-log.ts';

interface Crd extends KubernetesObject {
  readonly spec: {
    readonly versions: {
      schema: { openAPIV3Schema: { properties: { spec: { properties: Record<string, unknown> } } } };
    }[];
  };
}

const FILE = new URL('../../../../crds/vaultinjectionpolicies.yaml', import.meta.url);
const CRDS = { group: 'apiextensions.k8s.io', version: 'v1', plural: 'customresourcedefinitions' };
const NAME = 'vaultinjectionpolicies.vaultinjection.dev';
const own = parse(readFileSync(FILE, 'utf8')) as Crd;

function without(field: string): Crd {
  const crd = structuredClone(own);
  for (const { schema } of crd.spec.versions)
    Reflect.deleteProperty(schema.openAPIV3Schema.properties.spec.properties, field);
  return crd;
}

describe('the watch of the CRD', () => {
  let api: MemoryApi;
  let clock: ManualClock;
  let log: ReturnType<typeof testLog>;
  let register: Registry;
  let watch: CrdWatch;
  let changes: number;

  beforeEach(() => {
    api = new MemoryApi();
    clock = new ManualClock();
    log = testLog();
    register = new Registry();
    changes = 0;
    const onChange = (): number => (changes += 1);
    watch = new CrdWatch({ client: api, clock, random: () => 0, logger: log.logger, register, own, onChange });
  });
  afterEach(() => watch.stop());

  const metric = async (): Promise<string | undefined> =>
    /^vault_injection_crd_lacking_fields (\d+)$/m.exec(await register.metrics())?.[1];
  const told = (): string[] => log.lines.map(({ level, message }) => `${level}: ${message}`);

  it('has nothing to say about its own', async () => {
    await api.create(CRDS, own);
    watch.start();
    await clock.advance(1_000);
    expect([watch.lack, changes, await metric()]).to.deep.equal([[], 0, '0']);
    expect(told()).to.deep.equal([]);
  });

  it('says once what an older one lacks and what to do, and that it is well again', async () => {
    await api.create(CRDS, without('rotation'));
    watch.start();
    await clock.advance(1_000);
    expect([watch.lack, changes, await metric()]).to.deep.equal([['spec.rotation'], 1, '1']);
    api.edit(CRDS, NAME, 'kubectl', ({ metadata }) => Object.assign(metadata as object, { labels: { a: 'b' } }));
    await clock.advance(1_000);
    expect(changes).to.equal(1);
    api.edit(CRDS, NAME, 'kubectl', (object) => Object.assign(object, { spec: own.spec }));
    await clock.advance(1_000);
    expect([watch.lack, changes, await metric()]).to.deep.equal([[], 2, '0']);
    expect(told()).to.deep.equal([
      'warn: the CRD in the cluster is older than the operator, and API servers drop what it lacks: spec.rotation; update it: kubectl apply --server-side -f crds/',
      'info: the CRD in the cluster has all fields that the operator knows',
    ]);
  });

  it('says nothing of a CRD that may not be read, and tries again', async () => {
    api.before = (operation) => {
      if (operation === 'list') throw new ApiError(403, 'Forbidden', 'no');
    };
    await api.create(CRDS, without('rotation'));
    watch.start();
    await clock.advance(10_000);
    expect([watch.lack, changes]).to.deep.equal([[], 0]);
    api.before = () => undefined;
    await clock.advance(120_000);
    expect([...watch.lack]).to.deep.equal(['spec.rotation']);
  });
});
