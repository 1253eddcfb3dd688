import { expect } from 'chai';
import { mutateWorkload } from '../../../../core/injection/mutate.ts';
import type { MutationResult } from '../../../../core/injection/outcome.ts';
import { OPT_OUT } from '../../../../core/injection/sources.ts';
import type { SourceAnswer } from '../../../../core/injection/sources.ts';
import type { Rule } from '../../../../core/policy/rule.ts';
import { applyPatch } from '../../../support/apply-patch.ts';
import { knownSources, ruleWith, snapshotOf } from '../../../support/example-rule.ts';
import { container, deployment } from '../../../support/example-workload.ts';
import type { Workload } from '../../../support/example-workload.ts';

const API = { auth: { audience: '', isForAPIServer: true } };
const fail = ruleWith({ vault: API });
const ignore = ruleWith({ vault: API, failurePolicy: 'Ignore' });
const podOf = (spec: object = {}): Workload => deployment({ containers: [container()], ...spec });
const OUT = { automountServiceAccountToken: false };
const TOKEN_MOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

interface Review {
  readonly object: unknown;
  readonly rule: Rule;
  readonly stored?: unknown;
  readonly accounts?: Readonly<Record<string, SourceAnswer>>;
  readonly detailed?: boolean;
}

function review({ rule, accounts, ...input }: Review): MutationResult {
  const sources = accounts === undefined ? {} : { sources: knownSources(accounts) };
  const rules = snapshotOf(rule);
  return mutateWorkload({ kind: 'Deployment', namespace: 'shop', name: 'web', rules, ...input, ...sources });
}

const account = (optsOut: boolean): SourceAnswer => ({ data: { [OPT_OUT]: optsOut ? 'true' : '' } });

const ALLOWING = { 'ServiceAccount default': account(false) };

describe('tokens for the API server', () => {
  describe('are not given to a pod that opted out of them', () => {
    it('which refuses a new workload under Fail, and says what to write', () => {
      const { outcome, denial } = review({ object: podOf(OUT), rule: fail });
      expect(outcome).to.equal('Denied');
      expect(denial?.reason).to.equal('TokenOptedOut');
      expect(denial?.message)
        .to.contain('policy shop-secrets would give its pods a token for the API server')
        .and.contain('automountServiceAccountToken: false')
        .and.contain('set vault.auth.audience in the policy');
    });

    it('which leaves a new workload alone under Ignore, with a warning and a reason', () => {
      const { outcome, patch, warnings, skipped } = review({ object: podOf(OUT), rule: ignore });
      expect({ outcome, patch }).to.deep.equal({ outcome: 'Unchanged', patch: [] });
      expect(warnings[0]).to.contain('must set vault.auth.audience');
      expect(skipped).to.have.length(1);
      expect(skipped[0]).to.include({ name: 'app', reason: 'TokenOptedOut' });
    });

    it('which takes the token of an earlier injection away under Ignore when the template changes', () => {
      const injected = applyPatch(podOf(), review({ object: podOf(), rule: ignore, accounts: ALLOWING }).patch);
      const spec = (injected as Workload).spec.template.spec;
      expect(spec.volumes.map(({ name }) => name)).to.include('vault-env-token');
      const changed = structuredClone(injected) as Workload;
      Object.assign(changed.spec.template.spec, OUT);
      const { outcome, patch } = review({ object: changed, rule: ignore, stored: injected });
      expect(outcome).to.equal('Restored');
      expect(applyPatch(changed, patch)).to.deep.equal(podOf(OUT));
    });

    it('if the ServiceAccount opted out, and the pod template says nothing', () => {
      const accounts = { 'ServiceAccount web': account(true) };
      const { denial } = review({ object: podOf({ serviceAccountName: 'web' }), rule: fail, accounts });
      expect(denial?.message).to.contain('ServiceAccount web opts out of it');
    });

    it('if only a container hides the token from its program', () => {
      const mounts = [{ name: 'none', mountPath: `${TOKEN_MOUNT}/` }];
      const volumes = [{ name: 'none', emptyDir: {} }];
      const object = deployment({
        containers: [container({ volumeMounts: mounts })],
        volumes,
        automountServiceAccountToken: true,
      });
      expect(review({ object, rule: fail }).denial?.message).to.contain('container app opts out of it');
    });

    it('if nobody can say whether the ServiceAccount opted out', () => {
      for (const answer of [{ missing: true }, { unreadable: 'the API server did not answer; try again' }] as const) {
        const { denial } = review({ object: podOf(), rule: fail, accounts: { 'ServiceAccount default': answer } });
        expect(denial?.reason).to.equal('TokenOptedOut');
      }
    });
  });

  describe('are given', () => {
    const wanted: readonly [string, object][] = [
      ['to a pod that asks for them, whatever its ServiceAccount says', { automountServiceAccountToken: true }],
      ['to one whose ServiceAccount does not opt out', {}],
      ['although a container mounts a token of its own at the usual place', ownToken()],
    ];
    for (const [what, spec] of wanted)
      it(what, () => {
        expect(review({ object: podOf(spec), rule: fail, accounts: ALLOWING }).outcome).to.equal('Injected');
      });
  });

  it('are no question where the audience is one of Vault, or the method takes no token', () => {
    for (const rule of [ruleWith(), ruleWith({ vault: { auth: { method: 'AWS', audience: '' } } })]) {
      const { outcome, sourceNeeds } = review({ object: podOf(OUT), rule });
      expect({ outcome, sourceNeeds }).to.deep.equal({ outcome: 'Injected', sourceNeeds: undefined });
      expect(review({ object: podOf(), rule }).sourceNeeds).to.equal(undefined);
    }
  });

  describe('of a ServiceAccount that has to be looked up', () => {
    const asked = [{ kind: 'ServiceAccount', name: 'web' }];

    it('are asked for, unless the pod template decides', () => {
      const spec = { serviceAccountName: 'web' };
      expect(review({ object: podOf(spec), rule: fail }).sourceNeeds).to.deep.equal({ objects: asked });
      const decided = podOf({ ...spec, automountServiceAccountToken: true });
      expect(review({ object: decided, rule: fail }).sourceNeeds).to.equal(undefined);
    });

    it('are not asked for if no container is to be injected', () => {
      const object = deployment({ containers: [container({ env: undefined })] });
      expect(review({ object, rule: fail }).sourceNeeds).to.equal(undefined);
    });

    it('are asked for along with what may select the containers', () => {
      const env = [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'app', key: 'a' } } }];
      const object = deployment({ containers: [container({ env })], serviceAccountName: 'web' });
      expect(review({ object, rule: fail }).sourceNeeds).to.deep.equal({
        objects: [...asked, { kind: 'ConfigMap', name: 'app' }],
      });
    });
  });

  describe('that a stored template has already', () => {
    const stored = applyPatch(
      podOf(OUT),
      review({ object: podOf(OUT), rule: ruleWith({ vault: { auth: { audience: '' } } }) }).patch,
    ) as Workload;

    for (const rule of [fail, ignore])
      it(`stay while the template does, under ${rule.failurePolicy}: nothing runs without its secrets by surprise`, () => {
        const object = { ...stored, metadata: { ...stored.metadata, labels: { app: 'web', team: 'a' } } };
        const { outcome, patch, held, warnings } = review({ object, rule, stored });
        expect({ outcome, patch }).to.deep.equal({ outcome: 'Unchanged', patch: [] });
        expect(held?.reason).to.equal('TokenOptedOut');
        expect(warnings[0]).to.contain('vault.auth.audience');
      });

    it('stay while the ServiceAccount cannot be read, although the template changes', () => {
      const injected = applyPatch(
        podOf(),
        review({ object: podOf(), rule: fail, accounts: ALLOWING }).patch,
      ) as Workload;
      const changed = structuredClone(injected);
      changed.spec.template.metadata.labels.version = '2';
      const accounts = { 'ServiceAccount default': { unreadable: 'the API server answered 500; try again' } };
      const { outcome, wrapped, warnings } = review({ object: changed, rule: fail, stored: injected, accounts });
      expect({ outcome, wrapped }).to.deep.equal({ outcome: 'Unchanged', wrapped: ['app'] });
      expect(warnings.join()).to.contain('ServiceAccount default, which may opt out of it, cannot be read');
    });

    it('are a failure to the inventory, which restores nothing by itself', () => {
      const { outcome, held, patch } = review({ object: stored, rule: ignore, detailed: true });
      expect({ outcome, patch }).to.deep.equal({ outcome: 'Unchanged', patch: [] });
      expect(held?.reason).to.equal('TokenOptedOut');
    });
  });
});

function ownToken(): object {
  const serviceAccountToken = { path: 'token', expirationSeconds: 3600 };
  return {
    containers: [container({ volumeMounts: [{ name: 'mine', mountPath: TOKEN_MOUNT }] })],
    volumes: [{ name: 'mine', projected: { sources: [{ serviceAccountToken }] } }],
    automountServiceAccountToken: true,
  };
}
