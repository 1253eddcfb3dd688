import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';

import { belongsToWorkloads, isWorkload, waitingFor, type WorkloadManifest } from '../../demo/workloads.ts';

const FOLDER = new URL('../../../samples/workloads/', import.meta.url);

describe('the workloads of the demo', () => {
  const samples = readdirSync(FOLDER)
    .filter((name) => name !== 'kustomization.yaml')
    .flatMap((name) => parseAllDocuments(readFileSync(new URL(name, FOLDER), 'utf8'), { merge: true }))
    .map((document) => document.toJS() as WorkloadManifest);

  it('are all of samples/workloads, and no policy or namespace', () => {
    expect(samples).to.have.length.above(5);
    expect(samples.filter((one) => !belongsToWorkloads(one))).to.deep.equal([]);
    for (const kind of ['VaultInjectionPolicy', 'Namespace', 'ServiceAccount'])
      expect(belongsToWorkloads({ kind })).to.equal(false);
  });

  it('are counted by policies, except Services', () => {
    expect(samples.filter((one) => !isWorkload(one)).map(({ kind }) => kind)).to.deep.equal(['Service']);
  });

  const waitings: Readonly<Record<string, string | undefined>> = {
    Deployment: 'rollout status deployment/a -n shop --timeout=9s',
    StatefulSet: 'rollout status statefulset/a -n shop --timeout=9s',
    DaemonSet: 'rollout status daemonset/a -n shop --timeout=9s',
    Job: 'wait --for=condition=Complete job/a -n shop --timeout=9s',
    CronJob: undefined,
    Service: undefined,
  };
  for (const [kind, command] of Object.entries(waitings))
    it(`is waited for, if it is a ${kind}, ${command === undefined ? 'not at all' : `by kubectl ${command}`}`, () => {
      expect(waitingFor({ kind, metadata: { name: 'a' } }, 'shop', 9)?.args.join(' ')).to.equal(command);
    });

  it('has a way to wait for each kind of the samples', () => {
    for (const { kind } of samples) expect(waitings).to.have.property(kind);
  });
});
