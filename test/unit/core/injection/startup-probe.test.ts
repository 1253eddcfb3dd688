import { expect } from 'chai';

import { admitted, mutate } from '../../../support/admitted.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { container, containerOf, deployment, recordOf, templateOf } from '../../../support/example-workload.ts';
import type { Container, Workload } from '../../../support/example-workload.ts';
import { stored } from './api-server.ts';
import { applyManifest } from './manifest-apply.ts';

const rule = ruleWith();
const OURS = {
  exec: { command: ['/vault-env/vault-env', '--started'] },
  timeoutSeconds: 5,
  periodSeconds: 1,
  successThreshold: 1,
  failureThreshold: 40,
};
const HTTP = { httpGet: { path: '/healthz', port: 80 } };

const withApp = (fields: object): Workload => deployment({ containers: [container(fields)] });
const probeAfter = (object: Workload, by = rule): unknown => containerOf(admitted(object, by), 'app').startupProbe;

describe('the startup probe that holds a rollout', () => {
  it('asks vault-env whether the program runs, for as long as vault-env may take, and half a minute', () => {
    expect(probeAfter(withApp({}))).to.deep.equal(OURS);
    const slow = ruleWith({ vault: { timeout: '1m30s' }, process: { delay: '500ms' } });
    expect(probeAfter(withApp({}), slow)).to.deep.include({ failureThreshold: 121 });
  });

  it('is where the executable is mounted', () => {
    const taken = withApp({ volumeMounts: [{ name: 'mine', mountPath: '/vault-env' }] });
    expect(probeAfter(taken)).to.deep.include({ exec: { command: ['/vault-env-2/vault-env', '--started'] } });
  });

  it('is not itself put behind vault-env where probes are', () => {
    const { livenessProbe, startupProbe } = containerOf(
      admitted(withApp({ livenessProbe: { exec: { command: ['alive'] } } }), ruleWith({ probes: true })),
      'app',
    );
    expect(livenessProbe?.exec?.command).to.deep.equal(['/vault-env/vault-env', '--', 'alive']);
    expect(startupProbe).to.deep.equal(OURS);
  });

  const own: Readonly<Record<string, object>> = {
    'a readiness probe': { readinessProbe: HTTP },
    'a startup probe': { startupProbe: HTTP },
  };
  for (const [what, probe] of Object.entries(own)) {
    it(`is not added to a container with ${what}`, () => {
      const app = containerOf(admitted(withApp(probe), rule), 'app');
      expect([app.startupProbe, app.readinessProbe]).to.deep.equal([
        (probe as Container).startupProbe,
        (probe as Container).readinessProbe,
      ]);
    });
  }

  it('is not added if the policy says so, which counts for its hash', () => {
    expect(probeAfter(withApp({}), ruleWith({ startupProbe: false }))).to.equal(undefined);
  });

  it('is added to a native sidecar, and to no other init container: those hold the pod themselves', () => {
    const initContainers = [container({ name: 'sidecar', restartPolicy: 'Always' }), container({ name: 'migrate' })];
    const result = admitted(deployment({ initContainers, containers: [container({ env: undefined })] }), rule);
    expect(containerOf(result, 'sidecar').startupProbe).to.deep.equal(OURS);
    expect(containerOf(result, 'migrate').startupProbe).to.equal(undefined);
    expect(containerOf(result, 'app').startupProbe, 'nothing refers to Vault').to.equal(undefined);
  });

  it('is stored as it is generated, so that a second admission changes nothing', () => {
    const first = stored(admitted(stored(withApp({})), rule));
    expect(mutate(first, rule).patch).to.deep.equal([]);
  });

  it('is recorded, and taken away again', () => {
    const manifest = withApp({});
    const injected = admitted(manifest, rule);
    expect(recordOf(injected).containers[0]).to.deep.include({ startupProbe: 40 });
    expect(admitted(injected)).to.deep.equal(manifest);
    // without the record, too
    templateOf(injected).metadata.annotations = {};
    expect(containerOf(admitted(injected), 'app').startupProbe).to.equal(undefined);
  });

  it('follows the policy', () => {
    const injected = admitted(withApp({}), rule);
    expect(probeAfter(injected, ruleWith({ vault: { timeout: '5m' } }))).to.deep.include({ failureThreshold: 330 });
    expect(probeAfter(injected, ruleWith({ startupProbe: false }))).to.equal(undefined);
  });

  it('keeps what others have added to it', () => {
    const injected = admitted(withApp({}), rule);
    const probe = { ...OURS, terminationGracePeriodSeconds: 5 };
    containerOf(injected, 'app').startupProbe = probe;
    expect(mutate(injected, rule).patch).to.deep.equal([]);
    expect(containerOf(admitted(injected), 'app').startupProbe).to.equal(undefined);
  });

  describe('makes way for what a later manifest brings', () => {
    const applied = (fields: object): Container =>
      containerOf(
        admitted(stored(applyManifest(withApp({}), withApp(fields), stored(admitted(withApp({}), rule)))), rule),
        'app',
      );

    it('a startup probe of another kind, with the defaults of the API server', () => {
      expect(applied({ startupProbe: { ...HTTP, failureThreshold: 7 } }).startupProbe).to.deep.equal({
        ...HTTP,
        successThreshold: 1,
        failureThreshold: 7,
      });
    });

    it('a startup probe that executes something else', () => {
      const exec = { command: ['test', '-f', '/ready'] };
      expect(applied({ startupProbe: { exec } }).startupProbe).to.deep.equal({ exec, successThreshold: 1 });
    });

    it('a readiness probe', () => {
      const { startupProbe, readinessProbe } = applied({ readinessProbe: HTTP });
      expect(startupProbe).to.equal(undefined);
      expect(readinessProbe).to.deep.include(HTTP);
    });
  });

  describe('is not enough where the strategy ends all pods first, of which a policy warns that has the operator roll', () => {
    const automatic = ruleWith({ rollout: { strategy: 'Automatic' } });
    const warningsFor = (strategy: object, by = automatic): readonly string[] => {
      const object = withApp({});
      Object.assign(object.spec, { strategy });
      return mutate(object, by).warnings;
    };
    const recreate = { type: 'Recreate' };

    it('with Recreate, and with a maxUnavailable of all of them', () => {
      // of two replicas
      const all = ['100%', 2].map((maxUnavailable) => ({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable } }));
      for (const strategy of [recreate, ...all])
        expect(warningsFor(strategy)[0]).to.match(/^set strategy RollingUpdate .* ends all pods/);
      expect(warningsFor(recreate, ruleWith({ rotation: { strategy: 'Restart' } }))).to.have.length(1);
    });

    it('but not with other strategies, nor if only people roll it', () => {
      for (const maxUnavailable of ['25%', 1]) {
        expect(warningsFor({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable } })).to.deep.equal([]);
      }
      expect(warningsFor(recreate, ruleWith())).to.deep.equal([]);
    });
  });
});
