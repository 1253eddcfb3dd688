import { expect } from 'chai';
import type { Rule } from '../../../../core/policy/rule.ts';
import { admitted, mutate } from '../../../support/admitted.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { container, containerOf, deployment } from '../../../support/example-workload.ts';

describe('injection', () => {
  describe('the program of a container', () => {
    const image = 'docker.io/library/redis:7';
    const hint = { match: '*redis:*', entrypoint: ['docker-entrypoint.sh'], cmd: ['redis-server'] };
    const rule = ruleWith({ images: [{ match: '*redis:6', entrypoint: ['no'], cmd: [] }, hint] });
    const argsFor = (fields: object, using: Rule = rule): unknown =>
      containerOf(admitted(deployment({ containers: [container({ image, ...fields })] }), using), 'app').args;

    it('is command and args', () => {
      expect(argsFor({})).to.deep.equal(['--', '/app', '--port=80']);
    });
    it('is the command alone if there are no args: a command replaces the CMD of the image', () => {
      expect(argsFor({ args: undefined })).to.deep.equal(['--', '/app']);
    });
    it('is ENTRYPOINT and args, by the images of the policy', () => {
      expect(argsFor({ command: undefined })).to.deep.equal(['--', 'docker-entrypoint.sh', '--port=80']);
    });
    it('is ENTRYPOINT and CMD if there is neither command nor args', () => {
      expect(argsFor({ command: undefined, args: [] })).to.deep.equal(['--', 'docker-entrypoint.sh', 'redis-server']);
    });

    it('writes dollars of the image twice, because the kubelet expands args but never what an image says', () => {
      const images = [{ match: '*', entrypoint: ['sh', '-c'], cmd: ['echo $$ $(HOSTNAME)'] }];
      const words = argsFor({ command: undefined, args: undefined }, ruleWith({ images }));
      expect(words).to.deep.equal(['--', 'sh', '-c', 'echo $$$$ $$(HOSTNAME)']);
    });
    it('is not wrapped twice if a user wrote the wrapper by hand', () => {
      const byHand = { command: ['/vault-env/vault-env'], args: ['--', '/app'] };
      expect(argsFor(byHand)).to.deep.equal(['--', '/app']);
      expect(argsFor({ command: ['/vault-env/vault-env', '--', '/app'], args: undefined })).to.deep.equal([
        '--',
        '/app',
      ]);
    });
    it('is denied if it is unknown, with what to do about it', () => {
      const { outcome, denial } = mutate(deployment({ containers: [container({ command: undefined })] }), rule);
      expect(outcome).to.equal('Denied');
      expect(denial?.reason).to.equal('EntrypointUnknown');
      expect(denial?.message).to.equal(
        'container app has no command: set one, or add its image to images of policy shop-secrets; ' +
          'the entry point of registry.example.com/app:1 is not known',
      );
    });
    it('is left alone with a warning if the policy ignores failures, while the others are wrapped', () => {
      const object = deployment({ containers: [container({ command: undefined }), container({ name: 'two' })] });
      const ignoring = ruleWith({ failurePolicy: 'Ignore' });
      expect(mutate(object, ignoring).warnings[0]).to.match(
        /^not injected: container app has no command: set one, or add its image to images of policy shop-secrets; the e/,
      );
      expect(mutate(object, ignoring).audit.reason).to.equal('not injected: app:EntrypointUnknown');
      const result = admitted(object, ignoring);
      expect(containerOf(result, 'app')).to.deep.equal(containerOf(object, 'app'));
      expect(containerOf(result, 'two').command).to.deep.equal(['/vault-env/vault-env']);
    });
  });

  describe('probes and hooks', () => {
    const exec = (...command: string[]): object => ({ exec: { command } });
    const object = deployment({
      containers: [
        container({
          livenessProbe: { ...exec('/health', '-x'), periodSeconds: 3 },
          readinessProbe: { httpGet: { path: '/', port: 80 } },
          startupProbe: exec('/vault-env/vault-env', '--', '/by-hand'),
          lifecycle: { preStop: exec('/stop'), postStart: { sleep: { seconds: 1 } } },
        }),
        container({ name: 'plain', env: [], livenessProbe: exec('/health') }),
      ],
    });

    it('stay as they are unless the policy wants them', () => {
      const app = containerOf(admitted(object, ruleWith()), 'app');
      expect(app.livenessProbe).to.deep.equal(containerOf(object, 'app').livenessProbe);
    });

    it('are wrapped in wrapped containers if they execute something', () => {
      const result = admitted(object, ruleWith({ probes: true }));
      const app = containerOf(result, 'app');
      expect(app.livenessProbe).to.deep.equal({
        exec: { command: ['/vault-env/vault-env', '--', '/health', '-x'] },
        periodSeconds: 3,
      });
      expect(app.lifecycle).to.deep.equal({
        preStop: exec('/vault-env/vault-env', '--', '/stop'),
        postStart: { sleep: { seconds: 1 } },
      });
      expect(app.readinessProbe).to.deep.equal({ httpGet: { path: '/', port: 80 } });
      expect(containerOf(result, 'plain')).to.deep.equal(containerOf(object, 'plain'));
    });

    it('are not wrapped again if a user wrapped them by hand, and keep that when the policy is deleted', () => {
      const result = admitted(object, ruleWith({ probes: true }));
      expect(containerOf(result, 'app').startupProbe).to.deep.equal(containerOf(object, 'app').startupProbe);
      expect(admitted(result)).to.deep.equal(object);
    });
  });
});
