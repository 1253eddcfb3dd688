import { expect } from 'chai';
import { policyValidator } from '../../../../core/policy/schema.ts';
import { manifest, policyOf, validate } from '../../../support/example-policy.ts';
import type { Written } from '../../../support/example-policy.ts';

describe('policyValidator', () => {
  it('fills in every default of the CRD', () => {
    expect(policyOf().spec).to.deep.equal({
      suspend: false,
      priority: 0,
      targets: ['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob', 'Job'],
      inject: {
        when: 'References',
        containers: { include: ['*'] },
        initContainers: true,
        probes: false,
        startupProbe: true,
        sources: { configMaps: 'Read', secrets: 'Ignore' },
      },
      vault: {
        address: 'https://vault.vault.svc:8200',
        timeout: '10s',
        auth: { method: 'Kubernetes', tokenExpiration: '10m' },
      },
      environment: { ignoreMissing: false, transit: { mountPath: 'transit', batchSize: 25 } },
      process: {
        mode: 'Exec',
        delay: '0s',
        revokeToken: true,
        refuseExec: false,
        log: { level: 'Info', format: 'Text' },
      },
      injector: { delivery: 'Auto' },
      failurePolicy: 'Ignore',
      rollout: { strategy: 'Manual', maxConcurrent: 1 },
      rotation: { strategy: 'None', interval: '1m', vault: '' },
    });
  });

  it('fills in the defaults of entries of lists', () => {
    const { spec } = policyOf({
      environment: { fromPaths: [{ path: 'secret/data/a' }] },
      vault: { tls: { caRef: { kind: 'ConfigMap', name: 'ca' } } },
      process: { leaseEnd: {} },
    });
    expect(spec.process.leaseEnd).to.deep.equal({ action: 'Restart', signal: 'SIGTERM', gracePeriod: '10s' });
    expect(spec.environment.fromPaths).to.deep.equal([{ path: 'secret/data/a', overwrite: false }]);
    expect(spec.vault.tls?.caRef?.key).to.equal('ca.crt');
  });

  it('keeps what is written', () => {
    const { spec } = policyOf({ suspend: true, targets: ['StatefulSet'], process: { log: { level: 'Debug' } } });
    expect(spec.suspend).to.equal(true);
    expect(spec.targets).to.deep.equal(['StatefulSet']);
    expect(spec.process.log).to.deep.equal({ level: 'Debug', format: 'Text' });
  });

  it('treats a field with nothing after it as left out, as the API server does', () => {
    expect(policyOf({ process: null, failurePolicy: null, vault: { tls: null, auth: { role: null } } })).to.deep.equal(
      policyOf(),
    );
  });

  it('does not change its argument', () => {
    const written = manifest({ inject: {} });
    const before = structuredClone(written);
    validate(written);
    expect(written).to.deep.equal(before);
  });

  it('keeps fields that it does not know, as a newer CRD may have them', () => {
    expect(policyOf({ rotation: { strategy: 'None' } }).spec).to.have.nested.property('rotation.strategy', 'None');
  });

  it('accepts a status', () => {
    const condition = {
      type: 'Ready',
      status: 'True',
      reason: 'Active',
      message: '',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    };
    expect(validate({ ...manifest(), status: { observedGeneration: 3, conditions: [condition] } }).ok).to.equal(true);
    expect(problems({ ...manifest(), status: { conditions: [{ ...condition, lastTransitionTime: 'now' }] } })).to.eql([
      'status.conditions[0].lastTransitionTime: write a value of the format date-time',
    ]);
  });

  const bad: readonly (readonly [written: Written, problem: string])[] = [
    [{ vault: { address: undefined } }, 'spec.vault.address: is missing'],
    [{ vault: { address: 8200 } }, 'spec.vault.address: write a text'],
    [{ vault: { address: '' } }, 'spec.vault.address: write at least 1 character'],
    [{ suspend: 'yes' }, 'spec.suspend: write true or false'],
    [{ priority: 1.5 }, 'spec.priority: write a whole number'],
    [{ priority: 1001 }, 'spec.priority: write a number of at most 1000'],
    [{ priority: -1001 }, 'spec.priority: write a number of at least -1000'],
    [{ targets: [] }, 'spec.targets: write at least 1 entry'],
    [{ targets: 'Deployment' }, 'spec.targets: write a list'],
    [
      { targets: ['Node'] },
      'spec.targets[0]: write one of Deployment, StatefulSet, DaemonSet, CronJob, Job, ReplicaSet, ReplicationController, Pod, or Kind.group of the setting templates, such as Rollout.argoproj.io',
    ],
    [{ failurePolicy: 'fail' }, 'spec.failurePolicy: write one of Ignore, Fail'],
    [{ inject: [] }, 'spec.inject: write fields below it (an object)'],
    [{ environment: { fromPaths: [{ prefix: 'A_' }] } }, 'spec.environment.fromPaths[0].path: is missing'],
    [
      { environment: { allowedPaths: Array.from({ length: 33 }, (_, n) => `a/${n}`) } },
      'spec.environment.allowedPaths: write at most 32 entries',
    ],
    [{ vault: { auth: { role: 'r'.repeat(129) } } }, 'spec.vault.auth.role: write at most 128 characters'],
    [
      { injector: { resources: { limits: { cpu: true } } } },
      'spec.injector.resources.limits.cpu: write a number or a string',
    ],
    [
      { selector: { matchLabels: { 'a/b': '-' } } },
      'spec.selector.matchLabels.a/b: write text that matches ^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$',
    ],
    [{ metadata: { namespace: undefined } }, 'metadata.namespace: is missing'],
    [{ metadata: { name: '' } }, 'metadata.name: write at least 1 character'],
  ];
  for (const [written, problem] of bad)
    it(`says ${problem}`, () => {
      expect(problems(JSON.parse(JSON.stringify(manifest(written))))).to.deep.equal([problem]);
    });

  it('says all that is wrong at once', () => {
    expect(problems(manifest({ suspend: 1, vault: { timeout: 10 } }))).to.have.members([
      'spec.suspend: write true or false',
      'spec.vault.timeout: write a text',
    ]);
  });

  it('never repeats what was written, which may be a secret in the wrong place', () => {
    const secret = 'hunter2-hunter2';
    const written = manifest({
      failurePolicy: secret,
      selector: { matchLabels: { a: `${secret}!` } },
      targets: secret,
    });
    expect(problems(written).join('\n')).not.to.contain(secret);
  });

  for (const nothing of [undefined, null, 7, 'policy', [], {}])
    it(`rejects ${JSON.stringify(nothing)}`, () => {
      expect(validate(nothing).ok).to.equal(false);
    });

  it('is not made from anything but the CRD', () => {
    expect(() => policyValidator({ spec: { names: { kind: 'Other' }, versions: [] } })).to.throw('not the CRD');
    expect(() => policyValidator({})).to.throw('not the CRD');
  });
});

function problems(object: unknown): readonly string[] {
  const checked = validate(object);
  return checked.ok ? [] : checked.problems;
}
