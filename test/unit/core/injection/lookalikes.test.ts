import { expect } from 'chai';
import { admitted, mutate } from '../../../support/admitted.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { container, containerOf, deployment, namesOf, templateOf } from '../../../support/example-workload.ts';
import type { Workload } from '../../../support/example-workload.ts';

const rule = ruleWith();

describe('restore', () => {
  describe("a user's own that looks like ours", () => {
    const lookalike = deployment({
      volumes: [
        { name: 'vault-env', emptyDir: { medium: 'Memory' } },
        { name: 'vault-env-ca', configMap: { name: 'ca', items: [{ key: 'a', path: 'ca.crt' }] } },
        { name: 'vault-env-token', emptyDir: {} },
      ],
      initContainers: [container({ name: 'vault-env', command: ['/vault-env'], args: ['--version'], env: [] })],
      containers: [
        container({
          command: ['/vault-env/vault-env'],
          args: ['--', '/app'],
          volumeMounts: [
            { name: 'vault-env', mountPath: '/bin' },
            { name: 'vault-env-ca', mountPath: '/vault-env-ca', readOnly: true },
          ],
        }),
      ],
    });

    it('is left alone if no policy applies', () => {
      expect(mutate(lookalike)).to.include({ outcome: 'NoPolicy' });
      expect(mutate(lookalike).patch).to.deep.equal([]);
    });

    describe('with all but one of our marks', () => {
      const mount = { name: 'vault-env', mountPath: '/vault-env', readOnly: true };
      const config = { name: 'VAULT_ENV_CONFIG', value: '{}' };
      const wrapper = { command: ['/vault-env/vault-env'], args: ['--', '/app'] };
      const installer = { name: 'vault-env', command: ['/vault-env'], args: ['--install', '/install'], env: [] };
      const lookalikes: [string, object, object?][] = [
        ['neither wrapper nor variable', { volumeMounts: [mount] }],
        ['writable', { ...wrapper, volumeMounts: [{ ...mount, readOnly: false }], env: [config] }],
        [
          'a part of the volume',
          { ...wrapper, volumeMounts: [{ ...mount, subPath: 'bin' }], command: ['/x'], env: [config] },
        ],
        [
          'elsewhere',
          { command: ['/tools/vault-env'], args: ['--', '/app'], volumeMounts: [{ ...mount, mountPath: '/tools' }] },
        ],
        ['an init container that does something else', {}, { ...installer, args: ['--version'] }],
        ['an init container of another command', {}, { ...installer, command: ['/bin/vault-env'] }],
        ['an init container of another name', {}, { ...installer, name: 'install' }],
      ];
      for (const [name, fields, init] of lookalikes) {
        it(`is left alone: ${name}`, () => {
          const app = container({ env: undefined, command: ['/app'], ...fields });
          if (name === 'writable') app.command = ['/other'];
          const volumeMounts = [{ name: 'vault-env', mountPath: '/install' }];
          const object = deployment({
            volumes: [{ name: 'vault-env', emptyDir: { medium: 'Memory', sizeLimit: '32Mi' } }],
            ...(init ? { initContainers: [container({ ...init, volumeMounts })] } : {}),
            containers: [app],
          });
          expect(mutate(object).patch).to.deep.equal([]);
        });
      }
    });

    it('is restored exactly beside ours: the record tells them apart', () => {
      const object = deployment({
        volumes: [
          { name: 'vault-env', configMap: { name: 'mine' } },
          { name: 'vault-env-ca', configMap: { name: 'ca', items: [{ key: 'a', path: 'ca.crt' }] } },
        ],
        containers: [
          container({
            volumeMounts: [
              { name: 'vault-env', mountPath: '/vault-env', readOnly: true },
              { name: 'vault-env-ca', mountPath: '/vault-env-ca', readOnly: true },
            ],
          }),
        ],
      });
      expect(admitted(admitted(object, rule))).to.deep.equal(object);
    });

    it('is restored exactly after an injection', () => {
      const injected = admitted(lookalike, rule);
      expect(mutate(injected, rule).patch).to.deep.equal([]);
      expect(admitted(injected)).to.deep.equal(lookalike);
    });

    describe('a volume with our name that the user has added since', () => {
      const own = { name: 'vault-env', persistentVolumeClaim: { claimName: 'mine' } };
      const takeOver = (change: (volume: object) => object): Workload => {
        const injected = admitted(deployment({ containers: [container()] }), rule);
        const { spec } = templateOf(injected);
        spec.volumes = spec.volumes.map((volume) =>
          volume.name === 'vault-env' ? { ...own, ...change(volume) } : volume,
        );
        return injected;
      };

      it('stays, and so does what mounts it: the mount may be theirs as well as ours', () => {
        const { spec } = templateOf(admitted(takeOver(() => ({}))));
        expect(spec.volumes).to.deep.equal([own]);
        expect(namesOf(spec.containers[0]?.volumeMounts)).to.deep.equal(['vault-env']);
      });

      it('loses only our content if an apply has merged both', () => {
        expect(templateOf(admitted(takeOver((volume) => volume))).spec.volumes).to.deep.equal([own]);
      });

      it('keeps its name: ours is numbered', () => {
        const { spec } = templateOf(
          admitted(
            takeOver(() => ({})),
            rule,
          ),
        );
        expect(namesOf(spec.volumes)).to.deep.equal(['vault-env', 'vault-env-2', 'vault-env-token']);
        expect(spec.containers[0]?.command).to.deep.equal(['/vault-env-2/vault-env']);
        expect(spec.containers[0]?.args).to.deep.equal(['--', '/app', '--port=80']);
      });
    });

    it('keeps our volume if a user has started to mount it', () => {
      const injected = admitted(deployment({ containers: [container()] }), rule);
      const mine = { name: 'vault-env', mountPath: '/tools' };
      containerOf(injected, 'app').volumeMounts.push(mine);
      const { spec } = templateOf(admitted(injected));
      expect(namesOf(spec.volumes)).to.deep.equal(['vault-env']);
      expect(spec.containers[0]?.volumeMounts).to.deep.equal([mine]);
    });
  });
});
