import { expect } from 'chai';
import type { Rule } from '../../../../core/policy/rule.ts';
import type { ImageAnswer } from '../../../../core/injection/images.ts';
import { mutateWorkload } from '../../../../core/injection/mutate.ts';
import type { MutationResult } from '../../../../core/injection/outcome.ts';
import { applyPatch } from '../../../support/apply-patch.ts';
import { ruleWith, snapshotOf } from '../../../support/example-rule.ts';
import { container, deployment } from '../../../support/example-workload.ts';
import type { Workload } from '../../../support/example-workload.ts';

const FAIL = ruleWith();
const IGNORE = ruleWith({ failurePolicy: 'Ignore' });
const NGINX = { entrypoint: ['/docker-entrypoint.sh'], cmd: ['nginx', '-g'] };
const WHY = { why: 'registry.example.com has no such image' };
const PINNED = `registry.example.com/app@sha256:${'a'.repeat(64)}`;

const bare = (fields: object = {}) => container({ command: undefined, args: undefined, ...fields });

function mutate(object: Workload, known?: Record<string, ImageAnswer>, rule: Rule = FAIL): MutationResult {
  const images = known && { images: (image: string) => known[image] };
  const input = { kind: 'Deployment', namespace: 'shop', name: 'web', object, rules: snapshotOf(rule) } as const;
  return mutateWorkload({ ...input, ...images });
}

function admitted(object: Workload, known?: Record<string, ImageAnswer>, rule?: Rule): Workload {
  const { denial, patch } = mutate(object, known, rule);
  if (denial) throw new Error(denial.message);
  return applyPatch(object, patch) as Workload;
}

const IMAGE = 'registry.example.com/app:1';
const argsOf = (object: Workload): unknown => object.spec.template.spec.containers[0]?.args;
const recordOf = (object: Workload): Record<string, unknown> | undefined =>
  (
    JSON.parse(object.spec.template.metadata.annotations['vaultinjection.dev/original'] ?? '{}') as {
      containers: Record<string, unknown>[];
    }
  ).containers[0];

describe('the entry point of an image', () => {
  describe('has to be asked for', () => {
    it('if a container that has to be wrapped has no command', () => {
      const object = deployment({
        serviceAccountName: 'web',
        imagePullSecrets: [{ name: 'a' }, { name: 'b' }, {}, { name: '../configmaps/x' }, { name: '' }],
        containers: [bare(), bare({ name: 'same' }), bare({ name: 'other', image: 'redis:7' })],
      });
      expect(mutate(object).needs).to.deep.equal({
        images: [IMAGE, 'redis:7'],
        serviceAccount: 'web',
        pullSecrets: ['a', 'b'],
      });
    });

    it('even if the policy denies what is not known, and all at once', () => {
      const { denial, needs } = mutate(deployment({ containers: [bare(), bare({ name: 'b', image: 'redis:7' })] }));
      expect(denial?.reason).to.equal('EntrypointUnknown');
      expect(needs).to.deep.equal({ images: [IMAGE, 'redis:7'], serviceAccount: 'default', pullSecrets: [] });
    });

    const content: readonly [what: string, fields: object, rule?: Rule][] = [
      ['has a command', { command: ['/app'] }],
      ['has no reference', { env: [] }],
      ['is left out', { name: 'left-out' }, ruleWith({ containers: { include: ['*'], exclude: ['left-out'] } })],
      ['has an image that the policy knows', {}, ruleWith({ images: [{ match: '*', entrypoint: ['/x'], cmd: [] }] })],
      ['has no image', { image: '' }],
    ];
    for (const [what, fields, rule] of content) {
      it(`but not for a container that ${what}`, () => {
        expect(mutate(deployment({ containers: [bare(fields)] }), undefined, rule).needs).to.equal(undefined);
      });
    }

    it('but not twice: what is known, or cannot be known, is answered', () => {
      const object = deployment({ containers: [bare()] });
      expect(mutate(object, { [IMAGE]: NGINX }).needs).to.equal(undefined);
      expect(mutate(object, { [IMAGE]: WHY }).needs).to.equal(undefined);
    });
  });

  describe('that is known', () => {
    it('replaces the absent command, with the CMD', () => {
      expect(argsOf(admitted(deployment({ containers: [bare()] }), { [IMAGE]: NGINX }))).to.deep.equal([
        '--',
        '/docker-entrypoint.sh',
        'nginx',
        '-g',
      ]);
    });

    it('replaces the absent command, with the args of the container in place of CMD', () => {
      const object = deployment({ containers: [bare({ args: ['--debug'] })] });
      expect(argsOf(admitted(object, { [IMAGE]: NGINX }))).to.deep.equal(['--', '/docker-entrypoint.sh', '--debug']);
    });

    it('reaches the program as in the image, although the kubelet expands the words of a manifest', () => {
      const known = { [IMAGE]: { entrypoint: ['sh', '-c'], cmd: ['echo $$ $(HOSTNAME)'] } };
      expect(argsOf(admitted(deployment({ containers: [bare()] }), known))).to.deep.equal([
        '--',
        'sh',
        '-c',
        'echo $$$$ $$(HOSTNAME)',
      ]);
    });

    it('is recorded with the name of the image, and admitted again the same', () => {
      const live = admitted(deployment({ containers: [bare()] }), { [IMAGE]: NGINX });
      expect(recordOf(live)).to.include({ image: IMAGE });
      expect(mutate(live, { [IMAGE]: NGINX })).to.include({ outcome: 'Unchanged' });
    });

    it('yields to what the policy says', () => {
      const rule = ruleWith({ images: [{ match: '*', entrypoint: ['/policy'], cmd: [] }] });
      expect(argsOf(admitted(deployment({ containers: [bare()] }), { [IMAGE]: NGINX }, rule))).to.deep.equal([
        '--',
        '/policy',
      ]);
    });

    it('replaces the one of an image that was there before', () => {
      const live = admitted(deployment({ containers: [bare()] }), { [IMAGE]: NGINX });
      const [app] = live.spec.template.spec.containers;
      if (app) app.image = 'redis:7';
      expect(mutate(live).needs?.images).to.deep.equal(['redis:7']);
      const redis = { entrypoint: ['redis'], cmd: [] };
      expect(argsOf(admitted(live, { 'redis:7': redis }))).to.deep.equal(['--', 'redis']);
    });

    it('is not a program if the image has neither ENTRYPOINT nor CMD, unless the container has args', () => {
      const empty = { [IMAGE]: { entrypoint: [], cmd: [] } };
      const { denial } = mutate(deployment({ containers: [bare()] }), empty);
      expect(denial?.message).to.match(/is not known: the image has neither ENTRYPOINT nor CMD$/);
      const withArgs = deployment({ containers: [bare({ args: ['/tool'] })] });
      expect(argsOf(admitted(withArgs, empty))).to.deep.equal(['--', '/tool']);
      expect(mutate(admitted(withArgs, empty), empty).outcome).to.equal('Unchanged');
    });
  });

  describe('that cannot be known', () => {
    const object = deployment({ containers: [bare()] });

    it('is reported with what to do and why', () => {
      expect(mutate(object, { [IMAGE]: { ...WHY, advice: 'see the guide' } }).denial?.message).to.equal(
        'container app has no command: set one, or add its image to images of policy shop-secrets; ' +
          `the entry point of ${IMAGE} is not known: registry.example.com has no such image; see the guide`,
      );
    });

    it('causes warnings of sentences that each fit, if the policy ignores failures', () => {
      const { outcome, warnings, audit } = mutate(object, { [IMAGE]: { ...WHY, advice: 'see the guide' } }, IGNORE);
      expect(outcome).to.equal('Unchanged');
      expect(warnings[0]).to.match(/^not injected: container app has no command: set one, or add its image/);
      expect(warnings.slice(1)).to.deep.equal([
        'image of container app: registry.example.com has no such image',
        'see the guide',
      ]);
      expect(audit.reason).to.equal('not injected: app:EntrypointUnknown');
    });
  });

  describe('of a workload that is already injected', () => {
    const live = admitted(deployment({ containers: [bare()] }), { [IMAGE]: NGINX });

    it('is kept while the registry does not know: an outage removes no injection', () => {
      const { outcome, warnings } = mutate(live, { [IMAGE]: WHY });
      expect(outcome).to.equal('Unchanged');
      expect(warnings).to.deep.equal([
        'container app keeps its previously known entry point: registry.example.com has no such image',
      ]);
    });

    it('is kept if nobody was asked, such as by an inventory', () => {
      const { outcome, warnings, needs } = mutate(live);
      expect([outcome, warnings]).to.deep.equal(['Unchanged', []]);
      expect(needs?.images).to.deep.equal([IMAGE]);
    });

    it('is not asked for again if a digest names the image', () => {
      const pinned = admitted(deployment({ containers: [bare({ image: PINNED })] }), { [PINNED]: NGINX });
      const { outcome, needs } = mutate(pinned);
      expect([outcome, needs]).to.deep.equal(['Unchanged', undefined]);
    });

    it('is not taken over to another image', () => {
      const other = structuredClone(live);
      const [app] = other.spec.template.spec.containers;
      if (app) app.image = 'redis:7';
      expect(mutate(other, { 'redis:7': WHY }).denial?.reason).to.equal('EntrypointUnknown');
    });

    it('is gone with the injection when no policy asks for it', () => {
      const input = { kind: 'Deployment', namespace: 'shop', name: 'web', object: live, rules: snapshotOf() } as const;
      const { outcome, patch } = mutateWorkload(input);
      expect(outcome).to.equal('Restored');
      expect(applyPatch(live, patch)).to.deep.equal(deployment({ containers: [bare()] }));
    });
  });
});
