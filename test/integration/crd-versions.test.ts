/** The operator on API servers whose CRD is older than its own, or newer: neither Helm nor kubectl updates CRDs by itself. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { expect } from 'chai';
import { parse } from 'yaml';

import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { Cluster, WRAPPER } from './cluster.ts';
import { deployment, policy } from './manifests.ts';

const CRD = new URL('../../crds/vaultinjectionpolicies.yaml', import.meta.url);

interface Schema {
  properties: Record<string, Schema>;
}

interface Version {
  name: string;
  served: boolean;
  storage: boolean;
  schema: { openAPIV3Schema: Schema };
  additionalPrinterColumns: object[];
}

interface Crd {
  spec: { versions: Version[]; conversion?: unknown };
}

/** The CRD after `change` of its one version. */
function changed(change: (version: Version, crd: Crd) => void): Crd {
  const crd = parse(readFileSync(CRD, 'utf8')) as Crd;
  const [version] = crd.spec.versions;
  if (version === undefined) throw new Error('the CRD has no version');
  change(version, crd);
  return crd;
}

const at = (schema: Schema, ...path: string[]): Schema =>
  path.reduce((inner, step) => {
    const next = inner.properties[step];
    if (next === undefined) throw new Error(`the CRD has no ${path.join('.')}`);
    return next;
  }, schema);

/** Without a field of the spec, one of the status, and one deep in the spec. */
const OLDER = changed(({ schema: { openAPIV3Schema: schema } }) => {
  for (const [owner, name] of [
    [at(schema, 'spec'), 'rotation'],
    [at(schema, 'spec', 'vault'), 'timeout'],
    [at(schema, 'status'), 'injector'],
  ] as const)
    Reflect.deleteProperty(owner.properties, name);
});

/** With fields, a column and a version that this operator does not know. */
const NEWER = changed((version, crd) => {
  const { openAPIV3Schema: schema } = version.schema;
  const text = { type: 'string', maxLength: 64 } as unknown as Schema;
  at(schema, 'spec', 'vault').properties.fromTheFuture = { ...text, default: 'yes' } as unknown as Schema;
  at(schema, 'status').properties.fromTheFuture = text;
  version.additionalPrinterColumns.push({ name: 'Future', type: 'string', jsonPath: '.spec.vault.fromTheFuture' });
  crd.spec.versions.push({ ...structuredClone(version), name: 'v1beta1', storage: false });
});

describe('the operator with another CRD than its own', function () {
  this.timeout(120_000);
  let plane: ControlPlane;
  let cluster: Cluster;
  let operator: RunningOperator | undefined;

  before(async function () {
    this.timeout(BUILDING_MS);
    plane = await startControlPlane({ controllers: false });
    cluster = new Cluster(plane);
    operator = await startOperator({ controlPlane: plane });
    for (const namespace of ['shop', 'bank', 'mint']) await cluster.namespace(namespace);
    await cluster.policy(policy('shop', 'shop'));
  });
  after(async () => {
    await operator?.stop();
    await plane.stop();
  });

  const install = (crd: Crd): Promise<string> =>
    plane.kubectlOk(['apply', '--server-side', '--force-conflicts', '-f', '-'], JSON.stringify(crd));
  const condition = (namespace: string): Promise<string> =>
    cluster.kubectl(
      ...['get', 'vip', namespace, '-n', namespace],
      ...['-o', 'jsonpath={.status.conditions[?(@.type=="CRDOutdated")].message}'],
    );
  const lacking = async (): Promise<string | undefined> =>
    /^vault_injection_crd_lacking_fields (\d+)$/m.exec((await operator?.health('/metrics'))?.body ?? '')?.[1];
  const isInjected = async (namespace: string): Promise<void> => {
    await cluster.apply(deployment(namespace, 'web'));
    const { spec } = await cluster.get(namespace, 'web');
    expect(spec.template.spec.containers[0]?.command).to.deep.equal([WRAPPER]);
  };
  /** Each write of the status changes the version: it must not be written for ever. */
  const isAtRest = (namespace: string): Promise<true> =>
    eventually('the status to be at rest', async () => {
      const version = (): Promise<string> =>
        cluster.kubectl('get', 'vip', namespace, '-n', namespace, '-o', 'jsonpath={.metadata.resourceVersion}');
      const before = await version();
      await sleep(3_000);
      return (await version()) === before ? true : undefined;
    });

  it('says nothing about its own, which no webhook converts', async () => {
    expect(await condition('shop')).to.equal('');
    expect(await lacking()).to.equal('0');
    const crd = ['get', 'crd', 'vaultinjectionpolicies.vaultinjection.dev', '-o', 'jsonpath={.spec.conversion}'];
    expect(JSON.parse(await cluster.kubectl(...crd))).to.deep.equal({ strategy: 'None' });
  });

  describe('that is older', () => {
    before(() => install(OLDER));

    it('says so in the policies, the log and a metric, with what is lacking and what to do', async () => {
      const message = await eventually('the condition', async () => (await condition('shop')) || undefined);
      expect(message).to.contain('spec.rotation').and.contain('spec.vault.timeout').and.contain('status.injector');
      expect(message).to.contain('kubectl apply --server-side -f crds/');
      expect(await lacking()).to.equal('3');
      const lines = operator?.log().split('\n') ?? [];
      expect(lines.filter((line) => line.includes('"CRDOutdated"') && line.includes('"warn"'))).to.have.length(1);
    });

    it('keeps working: policies become ready, workloads are injected, and statuses come to rest', async () => {
      await cluster.policy(policy('bank', 'bank'));
      await isInjected('bank');
      await isAtRest('bank');
      expect(await condition('bank')).to.contain('spec.rotation');
    });

    it('says so also if it was so when it started', async () => {
      await operator?.stop();
      operator = await startOperator({ controlPlane: plane, prepare: false });
      await eventually('the metric', async () => ((await lacking()) === '3' ? true : undefined));
      await cluster.policyIs('bank', 'bank', 'CRDOutdated', 'True');
    });
  });

  describe('that is newer', () => {
    before(() => install(NEWER));

    it('has nothing to say, and what it said before is gone', async () => {
      await eventually('the condition to be gone', async () => ((await condition('bank')) === '' ? true : undefined));
      expect(await lacking()).to.equal('0');
    });

    it('works with policies that have fields which it does not know, in a version that it does not know', async () => {
      const known = policy('mint', 'mint');
      const vault = { ...(known.spec as { vault: object }).vault, fromTheFuture: 'indeed' };
      const future = { ...known, apiVersion: 'vaultinjection.dev/v1beta1', spec: { ...(known.spec as object), vault } };
      await eventually('the version to be served', async () => cluster.apply(future).catch(() => undefined));
      await cluster.policyIs('mint', 'mint', 'Ready', 'True');
      await isInjected('mint');
      await isAtRest('mint');
      const field = 'jsonpath={.spec.vault.fromTheFuture}';
      expect(await cluster.kubectl('get', 'vip', 'mint', '-n', 'mint', '-o', field)).to.equal('indeed');
    });
  });
});
