import { expect } from 'chai';
import { mutateWorkload } from '../../../../core/injection/mutate.ts';
import { applyPatch } from '../../../support/apply-patch.ts';
import { admitted, mutate } from '../../../support/admitted.ts';
import { ruleWith, snapshotOf } from '../../../support/example-rule.ts';
import { benchWorkload, container, containerOf, deployment, templateOf } from '../../../support/example-workload.ts';

const plain = deployment({ containers: [container()] });
const withAnnotations = (annotations: object): ReturnType<typeof deployment> =>
  deployment({ containers: [container()] }, annotations);

describe('admission of a workload', () => {
  describe('outcome', () => {
    it('is Injected the first time, then Unchanged', () => {
      expect(mutate(plain, ruleWith()).outcome).to.equal('Injected');
      const { outcome, patch } = mutate(admitted(plain, ruleWith()), ruleWith());
      expect({ outcome, patch }).to.deep.equal({ outcome: 'Unchanged', patch: [] });
    });

    it('is NoPolicy without a rule, and Restored if an injection is left over', () => {
      expect(mutate(plain)).to.deep.equal({
        outcome: 'NoPolicy',
        patch: [],
        wrapped: [],
        skipped: [],
        warnings: ['container app: DB_PASSWORD stays text: no VaultInjectionPolicy selects it'],
        audit: { result: 'NoPolicy' },
      });
      expect(mutate(admitted(plain, ruleWith())).outcome).to.equal('Restored');
    });

    it('is Unchanged if nothing refers to Vault, and Restored once nothing does any more', () => {
      expect(mutate(benchWorkload('deployment-noref.json'), ruleWith())).to.deep.include({
        outcome: 'Unchanged',
        patch: [],
      });
      const injected = admitted(plain, ruleWith());
      containerOf(injected, 'app').env.shift();
      expect(mutate(injected, ruleWith()).outcome).to.equal('Restored');
      expect(admitted(injected, ruleWith())).to.deep.equal(deployment({ containers: [container({ env: undefined })] }));
    });

    it('carries the policy, and an audit trail without anything of the workload but container names', () => {
      const { policy, audit } = mutate(plain, ruleWith({ policy: { generation: 7 } }));
      expect(policy).to.deep.equal({ name: 'shop-secrets', generation: 7 });
      expect(audit).to.deep.equal({ result: 'Injected', policy: 'shop-secrets', generation: '7', containers: 'app' });
    });

    it('is for the rules of the kind, the namespace and the labels only', () => {
      const rule = ruleWith({ targets: ['StatefulSet'], selector: { matchLabels: { app: 'web' } } });
      expect(mutate(plain, rule).outcome).to.equal('NoPolicy');
      const asked: string[] = [];
      const rules = {
        version: 1,
        rulesFor: (namespace: string) => (asked.push(namespace), [rule]),
        unusableFor: () => [],
      };
      const review = { kind: 'StatefulSet', namespace: 'shop', name: 'web', object: plain, rules } as const;
      expect(mutateWorkload(review).outcome).to.equal('Injected');
      const other = structuredClone(plain);
      other.metadata.labels.app = 'other';
      expect(mutateWorkload({ ...review, object: other }).outcome).to.equal('NoPolicy');
      expect(asked).to.deep.equal(['shop', 'shop']);
    });
  });

  describe('what a policy wants wrapped', () => {
    const two = deployment({
      initContainers: [container({ name: 'init', env: [] })],
      containers: [container(), container({ name: 'plain', env: [{ name: 'A', value: 'vault' }] })],
    });
    const wrappedBy = (...changes: Parameters<typeof ruleWith>): string | undefined =>
      mutate(two, ruleWith(...changes)).audit.containers;
    const fromPaths = [{ path: 'kv/a', prefix: '', overwrite: false }];

    it('References: the containers that refer to Vault', () => {
      expect(wrappedBy()).to.equal('app');
    });
    it('References with fromPaths: all of them', () => {
      expect(wrappedBy({ environment: { fromPaths } })).to.equal('init,app,plain');
    });
    it('Always: all of them', () => {
      expect(wrappedBy({ when: 'Always' })).to.equal('init,app,plain');
    });
    it('those that are included and not excluded; * stands for anything', () => {
      const containers = { include: ['*a*', 'init'], exclude: ['*in'] };
      expect(wrappedBy({ when: 'Always', containers })).to.equal('init,app');
    });
    it('no init containers if the policy leaves them out', () => {
      expect(wrappedBy({ when: 'Always', initContainers: false })).to.equal('app,plain');
    });
    it('Annotation: nothing without inject: "true", then what References would', () => {
      const rule = ruleWith({ when: 'Annotation' });
      const { outcome, patch, audit } = mutate(two, rule);
      expect({ outcome, patch }).to.deep.equal({ outcome: 'Excluded', patch: [] });
      expect(audit.reason).to.equal('inject is not "true"');
      const asked = structuredClone(two);
      asked.metadata.annotations = { 'vaultinjection.dev/inject': 'true' };
      expect(mutate(asked, rule).audit.containers).to.equal('app');
    });
    it('says which container gets the text of its references because the policy leaves it out', () => {
      expect(mutate(plain, ruleWith({ containers: { exclude: ['app'] } })).warnings).to.deep.equal([
        'container app: DB_PASSWORD stays text: policy shop-secrets excludes this container',
      ]);
    });
  });

  describe('references that will not work as intended', () => {
    const warningsFor = (fields: object, object = deployment({ containers: [container(fields)] })): readonly string[] =>
      mutate(object, ruleWith()).warnings;

    it('are wrapped all the same, so that the program does not start with their text', () => {
      const object = deployment({ containers: [container({ env: [{ name: 'X', value: 'vault:a/b' }] })] });
      expect(mutate(object, ruleWith()).outcome).to.equal('Injected');
    });
    it('are not what only begins alike: an image, a host, an address of another kind (cases/01)', () => {
      const env = [
        { name: 'SPRING_CONFIG_IMPORT', value: 'vault://' },
        { name: 'VAULT_IMAGE', value: 'vault:1.15.2' },
        { name: 'VAULT_ENDPOINTS', value: 'vault:8200,vault-1:8200' },
      ];
      const { outcome, patch, warnings } = mutate(deployment({ containers: [container({ env })] }), ruleWith());
      expect({ outcome, patch, warnings }).to.deep.equal({ outcome: 'Unchanged', patch: [], warnings: [] });
    });
    it('are not in variables that the policy names as literals, wherever they come from', () => {
      const env = [
        { name: 'DB', value: 'vault:secret/data/a#b' },
        { name: 'BAD', value: 'vault:secret/data/a' },
        { name: 'APP_URL', value: 'VAULT:secret/data/a#b' },
      ];
      const object = deployment({ containers: [container({ env })] });
      const rule = ruleWith({ environment: { literals: ['DB', 'BAD', '*_URL'] } });
      const { outcome, patch, warnings } = mutate(object, rule);
      expect({ outcome, patch, warnings }).to.deep.equal({ outcome: 'Unchanged', patch: [], warnings: [] });
      expect(mutate(object, ruleWith({ environment: { literals: ['BA'] } })).warnings).to.have.length(2);
      const excluding = ruleWith({
        containers: { exclude: ['app'] },
        environment: { literals: ['DB', 'BAD', '*_URL'] },
      });
      expect(mutate(object, excluding).warnings).to.deep.equal([]);
    });
    it('are named with container, variable and column', () => {
      expect(warningsFor({ env: [{ name: 'DB', value: 'x ${vault:secret/data/a}' }] })).to.deep.equal([
        'container app, DB, column 24: there is no "#" after the path: write ${vault:PATH#KEY}',
      ]);
    });
    it('cause a warning when there is no key to decrypt them with', () => {
      const env = [
        { name: 'A', value: '>>vault:pki/issue/web#certificate' },
        { name: 'B', value: 'x${vault:v1:abc}${vault:v1:def}' },
      ];
      expect(warningsFor({ env })).to.deep.equal([
        'container app, B: set environment.transit.keyID in policy shop-secrets to decrypt it; the program will not start',
      ]);
      const rule = ruleWith({ environment: { transit: { keyID: 'shop' } } });
      expect(mutate(deployment({ containers: [container({ env })] }), rule).warnings).to.deep.equal([]);
    });
    it('cause a warning when the kubelet expands them before vault-env starts', () => {
      const env = [
        { name: 'A', value: 'vault:secret/data/a#b' },
        { name: 'URL', value: 'http://$(A)@host' },
      ];
      expect(warningsFor({ command: ['sh', '-c', 'x $(A)'], args: ['$(A)', '$$(A)', '$(A)'], env })).to.deep.equal([
        "container app: $(A) in command is expanded before vault-env: it becomes the reference's text",
        "container app: $(A) in args is expanded before vault-env: it becomes the reference's text",
        "container app: $(A) in URL is expanded before vault-env: it becomes the reference's text",
      ]);
    });
    it('do not matter if the expansion is a reference itself', () => {
      const env = [
        { name: 'A', value: 'vault:secret/data/a#b' },
        { name: 'COPY', value: '$(A)' },
        { name: 'INLINE', value: 'u:${vault:secret/data/a#b}' },
        { name: 'URL', value: 'http://$(INLINE)@host' },
      ];
      expect(warningsFor({ env })).to.deep.equal([]);
    });
    it('are read as vault-env will see them: the kubelet turns two $ into one', () => {
      const one = mutate(
        deployment({ containers: [container({ env: [{ name: 'A', value: '$${vault:a/b}' }] })] }),
        ruleWith(),
      );
      expect(one.warnings[0]).to.contain('there is no "#" after the path');
      const two = deployment({ containers: [container({ env: [{ name: 'A', value: '$$${vault:a/b}' }] })] });
      expect(mutate(two, ruleWith()).warnings).to.deep.equal([]);
    });
    it('make at most ten short warnings and a count', () => {
      const env = Array.from({ length: 30 }, (_, index) => ({
        name: `V${index}_${'X'.repeat(200)}\n`,
        value: 'vault:a/b',
      }));
      const warnings = warningsFor({ env });
      expect(warnings).to.have.length(11);
      for (const warning of warnings) expect(warning).to.match(/^[^\n]{1,120}$/);
      expect(warnings[10]).to.equal('… and 20 more');
    });
  });

  describe('paths that may be written', () => {
    const writing = (value: string): object =>
      deployment({ containers: [container({ env: [{ name: 'CERT', value }] })] });
    const ISSUE = '>>vault:pki/issue/web#certificate';
    const messageOf = (value: string, environment: object): string | undefined =>
      mutate(writing(value), ruleWith({ environment, failurePolicy: 'Ignore' })).denial?.message;

    it('are none by default', () => {
      const { outcome, denial, patch } = mutate(writing(ISSUE), ruleWith({ failurePolicy: 'Ignore' }));
      expect({ outcome, patch }).to.deep.equal({ outcome: 'Denied', patch: [] });
      expect(denial).to.deep.equal({
        reason: 'PathNotAllowed',
        message:
          'container app, variable CERT: writes to the path pki/issue/web, which policy shop-secrets does not allow; ' +
          'environment.writes lists what may be written: nothing',
      });
    });
    it('are those of the policy, whatever may be read', () => {
      expect(messageOf(ISSUE, { writes: ['pki/issue/*'], allowedPaths: ['secret/*'] })).to.equal(undefined);
      expect(messageOf(ISSUE, { writes: ['pki/issue/shop', 'pki/sign/*'], allowedPaths: ['*'] })).to.match(
        /lists what may be written: pki\/issue\/shop, pki\/sign\/\*$/,
      );
      expect(messageOf('a ${>>vault:pki/issue/web#k#{"a":1}}', { allowedPaths: ['pki/*'] })).to.contain('writes to');
    });
    it('are not those that may be read: a policy that allows a write allows no read', () => {
      const both = { writes: ['pki/issue/*'], allowedPaths: ['secret/*'] };
      expect(messageOf('vault:pki/issue/web#certificate', both)).to.contain('refers to the path pki/issue/web');
    });
    it('are judged by vault-env if the kubelet completes them, unless nothing may be written at all', () => {
      const value = '>>vault:pki/issue/$(ROLE)#certificate';
      expect(messageOf(value, { writes: ['pki/issue/web'] })).to.equal(undefined);
      expect(messageOf(value, {})).to.contain('writes to the path pki/issue/$(ROLE)');
    });
  });

  describe('paths that the policy allows', () => {
    const allowing = (...allowedPaths: string[]): ReturnType<typeof ruleWith> =>
      ruleWith({ environment: { allowedPaths }, failurePolicy: 'Ignore' });

    it('are admitted', () => {
      expect(mutate(plain, allowing('kv/*', 'secret/data/shop/*')).outcome).to.equal('Injected');
    });
    it('bound references: any other denies, whatever the failure policy, and says what is allowed', () => {
      const { outcome, denial, patch } = mutate(plain, allowing('secret/data/web/*', 'kv/x'));
      expect({ outcome, patch }).to.deep.equal({ outcome: 'Denied', patch: [] });
      expect(denial).to.deep.equal({
        reason: 'PathNotAllowed',
        message:
          'container app, variable DB_PASSWORD: refers to the path secret/data/shop/db, ' +
          'which policy shop-secrets does not allow; allowed: secret/data/web/*, kv/x',
      });
    });
    it('are compared as vault-env reads them: slashes and dots do not get around them', () => {
      const object = (value: string): unknown =>
        deployment({ containers: [container({ env: [{ name: 'A', value }] })] });
      const rule = allowing('secret/data/web/*');
      expect(mutate(object('vault://secret//data/web/x/#k'), rule).outcome).to.equal('Injected');
      expect(mutate(object('vault:secret/data/other#k'), rule).outcome).to.equal('Denied');
      expect(mutate(object('a ${vault:secret/data/other#${.k}}'), rule).outcome).to.equal('Denied');
      expect(mutate(object('>>vault:secret/data/other#k'), rule).outcome).to.equal('Denied');
      // Malformed: vault-env will not start the program.
      expect(mutate(object('vault:secret/data/web/../other#k'), rule).outcome).to.equal('Injected');
    });
    it('are left to vault-env if the kubelet still has to expand them', () => {
      const env = [{ name: 'A', value: 'vault:secret/data/$(APP)#k' }];
      const object = deployment({ containers: [container({ env })] });
      expect(mutate(object, allowing('kv/*')).outcome).to.equal('Injected');
    });
    it('bound the annotation from-paths, but not the paths of the policy itself', () => {
      const fromPaths = [{ path: 'secret/data/own', prefix: '', overwrite: false }];
      const base = allowing('secret/data/shop/*');
      const rule = {
        ...base,
        environment: { ...base.environment, fromPaths },
        overrides: { allow: ['FromPaths' as const], roles: [] },
      };
      expect(mutate(plain, rule).outcome).to.equal('Injected');
      const asking = withAnnotations({ 'vaultinjection.dev/from-paths': 'secret/data/shop/a,kv/b' });
      expect(mutate(asking, rule).denial?.message).to.equal(
        'annotation vaultinjection.dev/from-paths refers to the path kv/b, ' +
          'which policy shop-secrets does not allow; allowed: secret/data/shop/*',
      );
    });
    it('do not bound containers that are not injected', () => {
      expect(mutate(withAnnotations({ 'vaultinjection.dev/inject': 'false' }), allowing('kv/*')).outcome).to.equal(
        'Excluded',
      );
    });
  });

  describe('the limit of annotations', () => {
    const withArgs = (length: number): unknown =>
      deployment(
        { containers: [container({ args: ['x'.repeat(length)] })] },
        { 'example.com/note': 'é'.repeat(40_000) },
      );

    it('denies a record that does not fit, in bytes of UTF-8', () => {
      const { outcome, denial, patch } = mutate(withArgs(190_000), ruleWith({ failurePolicy: 'Ignore' }));
      expect({ outcome, patch }).to.deep.equal({ outcome: 'Denied', patch: [] });
      expect(denial?.reason).to.equal('RecordTooLarge');
      expect(denial?.message).to.match(/would take 270\d{3} bytes, and Kubernetes allows 262144/);
    });
    it('leaves room for all that fits', () => {
      expect(mutate(withArgs(180_000), ruleWith()).outcome).to.equal('Injected');
    });
  });

  describe('a request that is not a workload', () => {
    it('is denied if it is not an object at all', () => {
      for (const object of [undefined, null, 7, 'x', []]) {
        expect(mutate(object, ruleWith()).denial?.reason).to.equal('MalformedObject');
      }
    });
    it("is left to the API server's validation if parts are missing", () => {
      for (const object of [{}, { spec: {} }, { spec: { template: {} } }, { spec: { template: { spec: {} } } }]) {
        expect(mutate(object, ruleWith())).to.deep.include({ outcome: 'Unchanged', patch: [] });
      }
    });
  });

  it('never reveals values, commands or args', () => {
    const secret = 'S3CR3T';
    const env = [
      { name: 'A', value: `vault:kv/a#${secret}` },
      { name: 'B', value: `vault:kv/a#\${${secret}` },
      { name: 'C', value: `$(A) ${secret}` },
    ];
    const fields = { command: ['$(A)', secret], args: [secret], env };
    const object = deployment({
      containers: [container(fields), container({ name: 'b', command: undefined, args: [secret] })],
    });
    for (const rule of [
      ruleWith(),
      ruleWith({ failurePolicy: 'Ignore' }),
      ruleWith({ environment: { allowedPaths: ['x'] } }),
    ]) {
      const { denial, warnings, audit } = mutate(object, rule);
      expect(warnings.length + (denial ? 1 : 0)).to.be.greaterThan(0);
      expect(JSON.stringify({ denial, warnings, audit })).not.to.contain(secret);
    }
  });

  it('changes only what it must in a large Deployment, and undoes all of it', () => {
    const object = benchWorkload('deployment.json');
    const { patch, audit } = mutate(object, ruleWith({ probes: true }));
    expect(audit.containers).to.equal('api,worker,exporter');
    expect(patch.map(({ op, path }) => `${op} ${path}`)).to.deep.equal([
      'add /spec/template/metadata/labels/vaultinjection.dev~1policy',
      'add /spec/template/metadata/annotations/vaultinjection.dev~1injected',
      'add /spec/template/metadata/annotations/vaultinjection.dev~1original',
      'add /spec/template/spec/volumes/3',
      'add /spec/template/spec/volumes/4',
      ...[0, 1, 2].flatMap((index) => {
        const at = `/spec/template/spec/containers/${index}`;
        return [
          `replace ${at}/command`,
          `replace ${at}/args`,
          `add ${at}/env/${[20, 12, 8][index] ?? 0}`,
          ...(index === 2
            ? [`add ${at}/volumeMounts`]
            : [`add ${at}/volumeMounts/${3 - index}`, `add ${at}/volumeMounts/${4 - index}`]),
          ...(index === 1 ? [`replace ${at}/livenessProbe/exec/command`] : []),
          ...(index === 0 ? [`replace ${at}/lifecycle/preStop/exec/command`] : []),
        ];
      }),
      'add /spec/template/spec/initContainers',
    ]);
    const injected = applyPatch(object, patch) as typeof object;
    expect(templateOf(admitted(injected))).to.deep.equal(templateOf(object));
  });

  it('returns the same result for the same input and does not change its input', () => {
    const object = Object.freeze(benchWorkload('deployment.json'));
    const before = JSON.stringify(object);
    const rule = ruleWith();
    const review = { kind: 'Deployment', namespace: 'payments', name: 'payments-api', object } as const;
    const first = mutateWorkload({ ...review, rules: snapshotOf(rule) });
    expect(mutateWorkload({ ...review, rules: snapshotOf(rule) })).to.deep.equal(first);
    expect(JSON.stringify(object)).to.equal(before);
  });
});
