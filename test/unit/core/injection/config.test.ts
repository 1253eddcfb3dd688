import { expect } from 'chai';
import type { AuthMethod } from '../../../../core/auth-methods.ts';
import type { Rule } from '../../../../core/policy/rule.ts';
import { mutateWorkload } from '../../../../core/injection/mutate.ts';
import { WrittenConfigs } from '../../../../core/injection/written-configs.ts';
import { admitted } from '../../../support/admitted.ts';
import { applyPatch } from '../../../support/apply-patch.ts';
import { ruleWith, snapshotOf } from '../../../support/example-rule.ts';
import { container, containerOf, deployment, templateOf } from '../../../support/example-workload.ts';
import type { Workload } from '../../../support/example-workload.ts';

const simple = deployment({ containers: [container()] });

describe('injection', () => {
  describe('VAULT_ENV_CONFIG', () => {
    const configOf = (rule: Rule, podSpec: object = {}, annotations?: object): unknown => {
      const workload = deployment({ containers: [container()], ...podSpec }, annotations);
      const app = containerOf(admitted(workload, rule), 'app');
      const { value = '' } = app.env.at(-1) ?? {};
      return JSON.parse(value.replaceAll('$$', () => '$'));
    };

    it('is the same whatever other workloads the rule has injected before', () => {
      const role = ruleWith({ vault: { auth: { role: '' } }, overrides: { allow: ['LogLevel'] } });
      const workloads = [
        simple,
        deployment({ containers: [container()], serviceAccountName: 'web' }),
        deployment({ containers: [container({ terminationMessagePath: '/tmp/why' })] }),
        deployment({ containers: [container({ volumeMounts: [{ name: 'x', mountPath: '/vault-env-token' }] })] }),
        deployment({ containers: [container()] }, { 'vaultinjection.dev/log-level': 'Debug' }),
        deployment({ containers: [container(), container({ name: 'b', terminationMessagePath: '/b' })] }),
      ];
      const written = new WrittenConfigs();
      const admittedAfterOthers = (object: Workload): unknown => {
        const about = { kind: 'Deployment', namespace: 'shop', name: 'web' } as const;
        return applyPatch(object, mutateWorkload({ ...about, object, rules: snapshotOf(role) }, written).patch);
      };
      for (const before of workloads) {
        for (const workload of workloads) {
          admittedAfterOthers(before);
          expect(admittedAfterOthers(workload)).to.deep.equal(admitted(workload, role));
        }
      }
      const configs = workloads.map((workload) => containerOf(admitted(workload, role), 'app').env.at(-1)?.value);
      expect(new Set(configs)).to.have.property('size', 5); // the last one's first container has the usual one
    });

    it('holds all that the policy says except for defaults', () => {
      const rule = ruleWith({
        vault: {
          namespace: 'team-a',
          timeout: '20s',
          proxyURL: 'http://proxy.example.com:3128',
          tls: { caBundle: 'PEM\n', serverName: 'vault.example.com' },
          auth: { method: 'JWT', mountPath: 'kubernetes' },
        },
        environment: {
          fromPaths: [
            { path: 'kv/a', version: 3, prefix: 'A_', overwrite: true },
            { path: 'kv/b', prefix: '', overwrite: false },
          ],
          ignoreMissing: true,
          passthrough: ['VAULT_ADDR'],
          literals: ['SPRING_*'],
          transit: { keyID: 'shop', mountPath: 'eu/transit', batchSize: 100 },
          allowedNames: ['PATH'],
          allowedPaths: ['secret/*'],
          writes: ['pki/issue/*'],
        },
        process: {
          mode: 'Daemon',
          leaseEnd: { action: 'Keep', signal: 'SIGHUP', gracePeriod: '1m' },
          delay: '3s',
          revokeToken: false,
          refuseExec: true,
          log: { level: 'Debug', format: 'JSON' },
        },
      });
      expect(configOf(rule)).to.deep.equal({
        vault: {
          address: 'https://vault.vault.svc:8200',
          namespace: 'team-a',
          timeout: '20s',
          proxyURL: 'http://proxy.example.com:3128',
          tls: { caBundle: 'PEM\n', serverName: 'vault.example.com' },
          auth: { method: 'JWT', mountPath: 'kubernetes', role: 'shop', tokenPath: '/vault-env-token/token' },
        },
        environment: {
          fromPaths: [{ path: 'kv/a', version: 3, prefix: 'A_', overwrite: true }, { path: 'kv/b' }],
          ignoreMissing: true,
          passthrough: ['VAULT_ADDR'],
          literals: ['SPRING_*'],
          transit: { keyID: 'shop', mountPath: 'eu/transit', batchSize: 100 },
          allowedNames: ['PATH'],
          allowedPaths: ['secret/*'],
          writes: ['pki/issue/*'],
        },
        process: {
          mode: 'Daemon',
          leaseEnd: { action: 'Keep', signal: 'SIGHUP', gracePeriod: '1m' },
          delay: '3s',
          revokeToken: false,
          refuseExec: true,
          log: { level: 'Debug', format: 'JSON' },
        },
        policy: 'shop/shop-secrets',
      });
    });

    it('says where the kubelet looks for the last message, if that is not its default', () => {
      const placeOf = (terminationMessagePath: string): unknown => {
        const config = configOf(ruleWith(), { containers: [container({ terminationMessagePath })] });
        return (config as { terminationMessagePath?: string }).terminationMessagePath;
      };
      expect([placeOf('/tmp/why'), placeOf('/dev/termination-log')]).to.deep.equal(['/tmp/why', undefined]);
    });

    it('holds only what cannot be left out for a policy of defaults', () => {
      expect(configOf(ruleWith({ environment: { transit: { mountPath: 'elsewhere' } } }))).to.deep.equal({
        vault: {
          address: 'https://vault.vault.svc:8200',
          auth: { role: 'shop', tokenPath: '/vault-env-token/token' },
        },
        policy: 'shop/shop-secrets',
      });
      const transit = { keyID: 'shop', mountPath: 'transit', batchSize: 25 };
      expect(configOf(ruleWith({ environment: { transit } }))).to.have.deep.property('environment', {
        transit: { keyID: 'shop' },
      });
    });

    it('says what becomes of a lease only in mode Daemon, even if the workload chooses it', () => {
      const leaseEnd = { action: 'Restart', signal: 'SIGINT', gracePeriod: '10s' } as const;
      const rule = ruleWith({ process: { leaseEnd }, overrides: { allow: ['Mode'] } });
      expect(configOf(rule)).not.to.have.property('process');
      expect(configOf(rule, {}, { 'vaultinjection.dev/mode': 'daemon' })).to.have.deep.property('process', {
        mode: 'Daemon',
        leaseEnd: { signal: 'SIGINT' },
      });
    });

    it('doubles every $, which the kubelet undoes', () => {
      const object = deployment({ containers: [container()] });
      const rule = ruleWith({ vault: { namespace: '$(HOME)$$' } });
      expect(containerOf(admitted(object, rule), 'app').env[1]?.value).to.contain('"namespace":"$$(HOME)$$$$"');
      expect(configOf(rule)).to.have.nested.property('vault.namespace', '$(HOME)$$');
    });

    it('has the ServiceAccount as role if the policy names none', () => {
      const rule = ruleWith({ vault: { auth: { role: '' } } });
      expect(configOf(rule, { serviceAccountName: 'web' })).to.have.nested.property('vault.auth.role', 'web');
      expect(configOf(rule)).to.have.nested.property('vault.auth.role', 'default');
    });

    it('agrees to plain http only where the policy does', () => {
      const rule = ruleWith({ vault: { address: 'http://vault', allowPlaintext: true } });
      expect(configOf(rule)).to.have.nested.property('vault.allowPlaintext', true);
      expect(configOf(ruleWith())).not.to.have.nested.property('vault.allowPlaintext');
    });

    it('names the audience in the token, not in the configuration', () => {
      const rule = ruleWith({ vault: { auth: { audience: 'vault', tokenExpirationSeconds: 1200 } } });
      const [, token] = templateOf(admitted(simple, rule)).spec.volumes;
      expect(token).to.have.deep.nested.property('projected.sources[0].serviceAccountToken', {
        audience: 'vault',
        expirationSeconds: 1200,
        path: 'token',
      });
      expect(JSON.stringify(configOf(rule))).not.to.contain('audience');
    });
  });

  describe('what a pod logs in with', () => {
    const appOf = (rule: Rule): ReturnType<typeof containerOf> => containerOf(admitted(simple, rule), 'app');
    const authOf = (rule: Rule): unknown => {
      const { value = '' } = appOf(rule).env.at(-1) ?? {};
      return (JSON.parse(value) as { vault: { auth: unknown } }).vault.auth;
    };
    const volumesOf = (rule: Rule): unknown[] => templateOf(admitted(simple, rule)).spec.volumes;
    const logIn = (method: AuthMethod, mountPath: string, more: object = {}): Rule =>
      ruleWith({ vault: { auth: { method, mountPath, role: '', ...more } } });

    const secretRef = { name: 'shop-login' };
    const secrets: [AuthMethod, string, readonly string[], Readonly<Record<string, unknown>>][] = [
      [
        'AppRole',
        'approle',
        ['role-id', 'secret-id'],
        {
          roleIDFile: '/vault-env-credentials/role-id',
          secretIDFile: '/vault-env-credentials/secret-id',
          secretIDWrapped: true,
        },
      ],
      [
        'Certificate',
        'cert',
        ['tls.crt', 'tls.key'],
        { certFile: '/vault-env-credentials/tls.crt', keyFile: '/vault-env-credentials/tls.key' },
      ],
    ];
    for (const [method, mountPath, keys, settings] of secrets)
      it(`comes from a Secret for the method ${method}: its keys for that, no other, and no token`, () => {
        const details = method === 'AppRole' ? { secretIDWrapped: true as const } : {};
        const rule = logIn(method, mountPath, { secretRef, details });
        expect(authOf(rule)).to.deep.equal({ method, mountPath, ...settings });
        expect(volumesOf(rule).slice(1)).to.deep.equal([
          {
            name: 'vault-env-credentials',
            secret: {
              secretName: 'shop-login',
              items: keys.map((key) => ({ key, path: key })),
              defaultMode: 420,
            },
          },
        ]);
        expect(appOf(rule).volumeMounts.slice(1)).to.deep.equal([
          { name: 'vault-env-credentials', mountPath: '/vault-env-credentials', readOnly: true },
        ]);
      });

    const clouds: [AuthMethod, string, Rule['vault']['auth']['details']][] = [
      ['AWS', 'aws', { region: 'eu-west-1', headerValue: 'vault.example.com' }],
      ['GCP', 'gcp', { type: 'GCE', serviceAccount: 'shop@project.iam.gserviceaccount.com' }],
      ['Azure', 'azure', { resource: 'api://vault' }],
    ];
    for (const [method, mountPath, details] of clouds)
      it(`is up to the cloud for the method ${method}: nothing is mounted, and the role is the ServiceAccount's`, () => {
        const rule = logIn(method, mountPath, { details });
        expect(authOf(rule)).to.deep.equal({ method, mountPath, role: 'default', ...details });
        expect(volumesOf(rule)).to.have.length(1);
      });

    it('is removed with the policy, whatever the method', () => {
      for (const method of ['AppRole', 'Certificate', 'AWS'] as const) {
        const injected = admitted(simple, logIn(method, 'a', { secretRef }));
        expect(admitted(injected)).to.deep.equal(simple);
      }
    });
  });

  describe('the CA that a policy refers to', () => {
    const volume = (kind: 'ConfigMap' | 'Secret'): unknown => {
      const rule = ruleWith({ vault: { tls: { caRef: { kind, name: 'vault-ca', key: 'root.pem' } } } });
      return templateOf(admitted(simple, rule)).spec.volumes[2];
    };

    it('is mounted from a ConfigMap', () => {
      expect(volume('ConfigMap')).to.deep.equal({
        name: 'vault-env-ca',
        configMap: { name: 'vault-ca', items: [{ key: 'root.pem', path: 'ca.crt' }], defaultMode: 420 },
      });
    });

    it('is mounted from a Secret', () => {
      expect(volume('Secret')).to.deep.equal({
        name: 'vault-env-ca',
        secret: { secretName: 'vault-ca', items: [{ key: 'root.pem', path: 'ca.crt' }], defaultMode: 420 },
      });
    });

    it('is named in the configuration by its file', () => {
      const rule = ruleWith({ vault: { tls: { caRef: { kind: 'Secret', name: 'vault-ca', key: 'x' } } } });
      const app = containerOf(admitted(simple, rule), 'app');
      expect(JSON.parse(app.env[1]?.value ?? '')).to.have.deep.nested.property('vault.tls', {
        caFile: '/vault-env-ca/ca.crt',
      });
      expect(app.volumeMounts[2]).to.deep.equal({ name: 'vault-env-ca', mountPath: '/vault-env-ca', readOnly: true });
    });
  });
});
