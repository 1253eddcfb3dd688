import { expect } from 'chai';
import type { Rule } from '../../../operator/policies/rule.ts';
import { admitted, container, containerOf, deployment, ruleWith, templateOf } from './fixtures.ts';

const simple = deployment({ containers: [container()] });

describe('injection', () => {
  describe('VAULT_ENV_CONFIG', () => {
    const configOf = (rule: Rule, podSpec: object = {}, annotations?: object): unknown => {
      const workload = deployment({ containers: [container()], ...podSpec }, annotations);
      const app = containerOf(admitted(workload, rule), 'app');
      const { value = '' } = app.env.at(-1) ?? {};
      return JSON.parse(value.replaceAll('$$', () => '$'));
    };

    it('holds all that the policy says and is not default', () => {
      const rule = ruleWith({
        vault: {
          namespace: 'team-a',
          timeout: '20s',
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
          transit: { keyID: 'shop', mountPath: 'eu/transit', batchSize: 100 },
          allowedNames: ['PATH'],
          allowedPaths: ['secret/*'],
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
          tls: { caBundle: 'PEM\n', serverName: 'vault.example.com' },
          auth: { method: 'JWT', mountPath: 'kubernetes', role: 'shop', tokenPath: '/vault-env-token/token' },
        },
        environment: {
          fromPaths: [{ path: 'kv/a', version: 3, prefix: 'A_', overwrite: true }, { path: 'kv/b' }],
          ignoreMissing: true,
          passthrough: ['VAULT_ADDR'],
          transit: { keyID: 'shop', mountPath: 'eu/transit', batchSize: 100 },
          allowedNames: ['PATH'],
          allowedPaths: ['secret/*'],
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
    });

    it('holds nothing but what cannot be left out for a policy of defaults', () => {
      expect(configOf(ruleWith({ environment: { transit: { mountPath: 'elsewhere' } } }))).to.deep.equal({
        vault: {
          address: 'https://vault.vault.svc:8200',
          auth: { role: 'shop', tokenPath: '/vault-env-token/token' },
        },
      });
      const transit = { keyID: 'shop', mountPath: 'transit', batchSize: 25 };
      expect(configOf(ruleWith({ environment: { transit } }))).to.have.deep.property('environment', {
        transit: { keyID: 'shop' },
      });
    });

    it('says what becomes of a lease in mode Daemon alone, and in the mode that the workload chooses', () => {
      const leaseEnd = { action: 'Restart', signal: 'SIGINT', gracePeriod: '10s' } as const;
      const rule = ruleWith({ process: { leaseEnd }, overrides: { allow: ['Mode'] } });
      expect(configOf(rule)).not.to.have.property('process');
      expect(configOf(rule, {}, { 'vaultinjection.dev/mode': 'daemon' })).to.have.deep.property('process', {
        mode: 'Daemon',
        leaseEnd: { signal: 'SIGINT' },
      });
    });

    it('doubles every $, which the kubelet takes out again', () => {
      const object = deployment({ containers: [container()] });
      const rule = ruleWith({ vault: { namespace: '$(HOME)$$' } });
      expect(containerOf(admitted(object, rule), 'app').env[1]?.value).to.contain('"namespace":"$$(HOME)$$$$"');
      expect(configOf(rule)).to.have.nested.property('vault.namespace', '$(HOME)$$');
    });

    it('has the ServiceAccount as role where the policy names none', () => {
      const rule = ruleWith({ vault: { auth: { role: '' } } });
      expect(configOf(rule, { serviceAccountName: 'web' })).to.have.nested.property('vault.auth.role', 'web');
      expect(configOf(rule)).to.have.nested.property('vault.auth.role', 'default');
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
