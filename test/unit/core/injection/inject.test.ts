import { expect } from 'chai';
import { stored } from './api-server.ts';
import { admitted, mutate } from '../../../support/admitted.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import {
  container,
  containerOf,
  deployment,
  namesOf,
  recordOf,
  templateOf,
} from '../../../support/example-workload.ts';
import type { Workload } from '../../../support/example-workload.ts';

const simple = deployment({ containers: [container()] });

describe('inject', () => {
  it('puts vault-env in front of the program and adds what it needs', () => {
    const { metadata, spec } = templateOf(admitted(simple, ruleWith()));
    expect(spec).to.deep.equal({
      initContainers: [
        {
          name: 'vault-env',
          image: 'registry.example.com/vault-env:1.0.0',
          command: ['/vault-env'],
          args: ['--install', '/install'],
          resources: {},
          volumeMounts: [{ name: 'vault-env', mountPath: '/install' }],
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          imagePullPolicy: 'IfNotPresent',
          securityContext: {
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
            readOnlyRootFilesystem: true,
            runAsNonRoot: true,
            seccompProfile: { type: 'RuntimeDefault' },
          },
        },
      ],
      containers: [
        {
          name: 'app',
          image: 'registry.example.com/app:1',
          command: ['/vault-env/vault-env'],
          args: ['--', '/app', '--port=80'],
          env: [
            { name: 'DB_PASSWORD', value: 'vault:secret/data/shop/db#password' },
            {
              name: 'VAULT_ENV_CONFIG',
              value:
                '{"vault":{"address":"https://vault.vault.svc:8200",' +
                '"auth":{"role":"shop","tokenPath":"/vault-env-token/token"}},"policy":"shop/shop-secrets"}',
            },
          ],
          volumeMounts: [
            { name: 'vault-env', mountPath: '/vault-env', readOnly: true },
            { name: 'vault-env-token', mountPath: '/vault-env-token', readOnly: true },
          ],
          startupProbe: {
            exec: { command: ['/vault-env/vault-env', '--started'] },
            timeoutSeconds: 5,
            periodSeconds: 1,
            successThreshold: 1,
            failureThreshold: 40,
          },
        },
      ],
      volumes: [
        { name: 'vault-env', emptyDir: { medium: 'Memory', sizeLimit: '32Mi' } },
        {
          name: 'vault-env-token',
          projected: {
            sources: [{ serviceAccountToken: { audience: 'vault', expirationSeconds: 600, path: 'token' } }],
            defaultMode: 420,
          },
        },
      ],
    });
    expect(metadata.annotations['vaultinjection.dev/injected']).to.equal('shop-secrets/1/aaaaaaaaaaaa');
    const { containers, ...record } = recordOf(admitted(simple, ruleWith()));
    expect(record).to.deep.equal({ v: 1, volumes: ['vault-env', 'vault-env-token'] });
    expect(Object.keys(containers[0] ?? {})).to.deep.equal([
      'name',
      'command',
      'args',
      'generated',
      'config',
      'startupProbe',
    ]);
    expect(containers[0]).to.deep.include({ name: 'app', command: ['/app'], args: ['--port=80'] });
    expect(containers[0]?.generated).to.match(/^[0-9a-f]{12}$/);
    expect(containers[0]?.config).to.match(/^[0-9a-f]{12}$/);
  });

  it('generates what the API server would store: no default is left for it to fill in', () => {
    for (const rule of [ruleWith(), ruleWith({ injector: { delivery: 'ImageVolume' } })]) {
      const caRef = { kind: 'Secret', name: 'ca', key: 'ca.crt' } as const;
      const withCa = { ...rule, vault: { ...rule.vault, tls: { ...rule.vault.tls, caRef } } };
      const before = stored(simple);
      const after = admitted(before, withCa);
      expect(stored(after)).to.deep.equal(after);
    }
  });

  describe('delivery by image volume', () => {
    const rule = ruleWith({ injector: { delivery: 'ImageVolume', imagePullPolicy: 'Always' } });

    it('mounts the image and needs no init container', () => {
      const { spec } = templateOf(admitted(simple, rule));
      expect(spec).not.to.have.property('initContainers');
      expect(spec.volumes[0]).to.deep.equal({
        name: 'vault-env',
        image: { reference: 'registry.example.com/vault-env:1.0.0', pullPolicy: 'Always' },
      });
      expect(spec.containers[0]?.command).to.deep.equal(['/vault-env/vault-env']);
    });

    it('changes a template that was injected with an init container', () => {
      const before = admitted(simple, ruleWith());
      expect(templateOf(admitted(before, rule)).spec).to.deep.equal(templateOf(admitted(simple, rule)).spec);
    });
  });

  describe('delivery that the operator has chosen', () => {
    const volume = ruleWith({ injector: { delivery: 'ImageVolume', isAuto: true } });
    const byContainer = ruleWith({ injector: { delivery: 'InitContainer', isAuto: true } });
    const hasInstaller = (object: Workload): boolean => templateOf(object).spec.initContainers !== undefined;

    it('is for new pods', () => {
      expect(hasInstaller(admitted(simple, volume))).to.equal(false);
      expect(hasInstaller(admitted(simple, byContainer))).to.equal(true);
    });
    it('leaves what the same rule has injected as it is, and replaces it with the next one', () => {
      const before = admitted(simple, byContainer);
      expect(mutate(before, volume).patch).to.deep.equal([]);
      expect(hasInstaller(admitted(before, { ...volume, hash: 'bbbbbbbbbbbb' }))).to.equal(false);
    });
    it('changes what nodes can no longer run', () => {
      expect(hasInstaller(admitted(admitted(simple, volume), byContainer))).to.equal(true);
    });
    for (const [what, spec, isUsual] of [
      ['a runtime class', { runtimeClassName: 'gvisor' }, false],
      ['a user namespace', { hostUsers: false }, false],
      ['neither', { hostUsers: true }, true],
    ] as const)
      it(`with ${what}: ${isUsual ? 'an image volume' : 'an init container'}`, () => {
        const object = deployment({ containers: [container()], ...spec });
        expect(hasInstaller(admitted(object, volume))).to.equal(!isUsual);
        const asWritten = ruleWith({ injector: { delivery: 'ImageVolume' } });
        expect(hasInstaller(admitted(object, asWritten)), 'the policy says so').to.equal(false);
      });
  });

  describe('names that are taken', () => {
    it('numbers volumes and the init container', () => {
      const object = deployment({
        volumes: [{ name: 'vault-env', configMap: { name: 'x' } }],
        containers: [container(), container({ name: 'vault-env', env: [] })],
      });
      const { spec } = templateOf(admitted(object, ruleWith()));
      expect(spec.initContainers?.[0]?.name).to.equal('vault-env-2');
      expect(namesOf(spec.volumes)).to.deep.equal(['vault-env', 'vault-env-2', 'vault-env-token']);
      expect(spec.containers[0]?.volumeMounts[0]?.name).to.equal('vault-env-2');
    });

    it('does not take the place of a mounted volume that is missing: the API server must reject that', () => {
      const volumeMounts = [{ name: 'vault-env', mountPath: '/x' }];
      const { spec } = templateOf(admitted(deployment({ containers: [container({ volumeMounts })] }), ruleWith()));
      expect(namesOf(spec.volumes)).to.deep.equal(['vault-env-2', 'vault-env-token']);
    });

    it("keeps away from a StatefulSet's claims, which would replace a volume of the same name", () => {
      const object = deployment({ containers: [container()] });
      object.spec.volumeClaimTemplates = [{ metadata: { name: 'vault-env-token' } }];
      const { spec } = templateOf(admitted(object, ruleWith()));
      expect(namesOf(spec.volumes)).to.deep.equal(['vault-env', 'vault-env-token-2']);
    });

    for (const mountPath of ['/vault-env', '/vault-env/', '//vault-env', '/vault-env/data', 'vault-env']) {
      it(`mounts elsewhere if the container mounts ${mountPath}, and the command follows`, () => {
        const object = deployment({
          volumes: [{ name: 'data', emptyDir: {} }],
          containers: [container({ volumeMounts: [{ name: 'data', mountPath }] }), container({ name: 'other' })],
        });
        const result = admitted(object, ruleWith());
        expect(containerOf(result, 'app').command).to.deep.equal(['/vault-env-2/vault-env']);
        expect(containerOf(result, 'app').volumeMounts[1]?.mountPath).to.equal('/vault-env-2');
        expect(containerOf(result, 'other').command).to.deep.equal(['/vault-env/vault-env']);
        expect(recordOf(result).containers[0]?.mountPath).to.equal('/vault-env-2');
      });
    }

    it('does not move for a mount whose path only begins the same', () => {
      const volumeMounts = [{ name: 'data', mountPath: '/vault-environment' }];
      const object = deployment({ containers: [container({ volumeMounts })] });
      expect(containerOf(admitted(object, ruleWith()), 'app').command).to.deep.equal(['/vault-env/vault-env']);
    });

    it('leaves a container alone that sets VAULT_ENV_CONFIG itself: denied, or with Ignore a warning', () => {
      const object = deployment({
        containers: [container({ env: [{ name: 'VAULT_ENV_CONFIG', value: '{}' }, ...container().env] })],
      });
      expect(mutate(object, ruleWith()).denial?.reason).to.equal('VariableReserved');
      const { outcome, patch, warnings } = mutate(object, ruleWith({ failurePolicy: 'Ignore' }));
      expect({ outcome, patch }).to.deep.equal({ outcome: 'Unchanged', patch: [] });
      expect(warnings[0]).to.match(/^not injected: container app sets VAULT_ENV_CONFIG itself/);
    });
  });

  describe('user and group of the init container', () => {
    const cases: [string, object, object, object][] = [
      ['are left to the image where nobody says anything', {}, {}, {}],
      ['follow the pod', { runAsUser: 1000, runAsGroup: 2000 }, {}, { runAsUser: 1000, runAsGroup: 2000 }],
      ['are not root where the pod is', { runAsUser: 0 }, {}, { runAsUser: 65532, runAsGroup: 65532 }],
      [
        'keep the group of a pod that is root',
        { runAsUser: 0, runAsGroup: 7 },
        {},
        { runAsUser: 65532, runAsGroup: 7 },
      ],
      ['are not of group 0', { runAsUser: 5, runAsGroup: 0 }, {}, { runAsUser: 5, runAsGroup: 65532 }],
      ['are what the policy says', { runAsUser: 1 }, { runAsUser: 7, runAsGroup: 8 }, { runAsUser: 7, runAsGroup: 8 }],
    ];
    for (const [name, pod, policy, expected] of cases) {
      it(name, () => {
        const object = deployment({ securityContext: pod, containers: [container()] });
        const rule = ruleWith({ injector: { securityContext: policy } });
        const { securityContext } = containerOf(admitted(object, rule), 'vault-env');
        const { runAsUser, runAsGroup } = securityContext;
        const given = Object.entries({ runAsUser, runAsGroup }).filter(([, value]) => value !== undefined);
        expect(Object.fromEntries(given)).to.deep.equal(expected);
      });
    }
  });

  it('wraps init containers and native sidecars, and comes before them', () => {
    const sidecar = container({ name: 'proxy', restartPolicy: 'Always' });
    const object = deployment({ initContainers: [container({ name: 'migrate' }), sidecar], containers: [container()] });
    const result = admitted(object, ruleWith());
    expect(namesOf(templateOf(result).spec.initContainers)).to.deep.equal(['vault-env', 'migrate', 'proxy']);
    expect(containerOf(result, 'proxy').command).to.deep.equal(['/vault-env/vault-env']);
    const without = admitted(object, ruleWith({ initContainers: false }));
    expect(containerOf(without, 'migrate')).to.deep.equal(containerOf(object, 'migrate'));
  });

  it('never touches ephemeral containers', () => {
    const ephemeralContainers = [container({ name: 'debug' })];
    const object = deployment({ ephemeralContainers, containers: [container()] });
    expect(templateOf(admitted(object, ruleWith())).spec.ephemeralContainers).to.deep.equal(ephemeralContainers);
  });

  it('leaves unknown fields alone', () => {
    const object = deployment({ containers: [container({ futureField: { a: [1] } })], anotherFuture: true });
    object.spec.template.futureTop = { b: 2 };
    const { spec, futureTop } = templateOf(admitted(object, ruleWith()));
    expect({ futureTop, another: spec.anotherFuture, field: spec.containers[0]?.futureField }).to.deep.equal({
      futureTop: { b: 2 },
      another: true,
      field: { a: [1] },
    });
  });

  describe('the annotation of what injected', () => {
    const rule = ruleWith();
    const annotationOf = (object: Workload): unknown =>
      templateOf(object).metadata.annotations['vaultinjection.dev/injected'];
    const first = admitted(simple, rule);

    it('stays when a new generation of the policy injects the same: no pod rolls', () => {
      const next = ruleWith({ policy: { generation: 2 } });
      expect(mutate(first, next)).to.include({ outcome: 'Unchanged' });
      expect(mutate(first, next).patch).to.deep.equal([]);
      expect(mutate(first, next).policy).to.deep.equal({ name: 'shop-secrets', generation: 2 });
    });

    it('changes with the hash of the rule, and with the policy', () => {
      const changed = ruleWith({ policy: { generation: 2 }, hash: 'bbbbbbbbbbbb' });
      expect(annotationOf(admitted(first, changed))).to.equal('shop-secrets/2/bbbbbbbbbbbb');
      const other = ruleWith({ policy: { name: 'other', generation: 9 } });
      expect(annotationOf(admitted(first, other))).to.equal('other/9/aaaaaaaaaaaa');
    });

    it('is corrected when somebody wrote nonsense into it', () => {
      for (const text of ['shop-secrets/x/aaaaaaaaaaaa', 'shop-secrets/1/aaaaaaaaaaaa/', '']) {
        const object = structuredClone(first);
        object.spec.template.metadata.annotations['vaultinjection.dev/injected'] = text;
        expect(annotationOf(admitted(object, rule))).to.equal('shop-secrets/1/aaaaaaaaaaaa');
      }
    });
  });
});
