import { expect } from 'chai';
import { compilePolicy } from '../../../../core/policy/compile.ts';
import { CA } from '../../../support/example-ca.ts';
import { defaults, policyOf, ruleOf } from '../../../support/example-policy.ts';
import type { Written } from '../../../support/example-policy.ts';

describe('compilePolicy', () => {
  it('compiles the shortest policy into a complete rule', () => {
    const { hash, ...rule } = ruleOf();
    expect(hash).to.match(/^[0-9a-f]{12}$/);
    expect(rule).to.deep.equal({
      policy: { namespace: 'shop', name: 'shop', uid: 'u-1', generation: 3, createdAt: Date.UTC(2026, 0, 2, 3, 4, 5) },
      since: Date.UTC(2026, 0, 2, 3, 4, 5),
      priority: 0,
      targets: ['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob', 'Job'],
      selector: { matchLabels: {}, matchExpressions: [] },
      when: 'References',
      containers: { include: ['*'], exclude: [] },
      initContainers: true,
      probes: false,
      startupProbe: true,
      sources: { configMaps: 'Read', secrets: 'Ignore' },
      vault: {
        address: 'https://vault.vault.svc:8200',
        allowPlaintext: false,
        namespace: '',
        timeout: '10s',
        proxyURL: '',
        tls: { caBundle: '', serverName: '' },
        auth: {
          method: 'Kubernetes',
          mountPath: 'kubernetes',
          role: '',
          audience: 'vault',
          isForAPIServer: false,
          tokenExpirationSeconds: 600,
          details: {},
        },
      },
      environment: {
        fromPaths: [],
        ignoreMissing: false,
        passthrough: [],
        literals: [],
        transit: { keyID: '', mountPath: 'transit', batchSize: 25 },
        allowedNames: [],
        allowedPaths: [],
        writes: [],
      },
      process: {
        mode: 'Exec',
        delay: '0s',
        revokeToken: true,
        refuseExec: false,
        log: { level: 'Info', format: 'Text' },
      },
      injector: {
        image: 'registry.example.com/vault-env:1.0.0',
        imagePullPolicy: 'IfNotPresent',
        delivery: 'InitContainer',
        isAuto: true,
        securityContext: {},
      },
      images: [],
      overrides: { allow: [], roles: [] },
      failurePolicy: 'Ignore',
      rollout: { strategy: 'Manual', maxConcurrent: 1 },
      rotation: { strategy: 'None', intervalMs: 60_000, vault: '' },
    });
  });

  it('carries over all that a policy says', () => {
    const rule = ruleOf(everything());
    expect(rule).to.deep.include({
      priority: 10,
      targets: ['StatefulSet'],
      selector: {
        matchLabels: { app: 'db' },
        matchExpressions: [
          { key: 'tier', operator: 'In', values: ['a', 'b'] },
          { key: 'legacy', operator: 'DoesNotExist', values: [] },
        ],
      },
      when: 'Always',
      containers: { include: ['db', 'sidecar-*'], exclude: ['sidecar-log'] },
      initContainers: false,
      probes: true,
      process: {
        mode: 'Daemon',
        leaseEnd: { action: 'Keep', signal: 'SIGHUP', gracePeriod: '1m' },
        delay: '2s',
        revokeToken: false,
        refuseExec: true,
        log: { level: 'Debug', format: 'JSON' },
      },
      images: [
        { match: 'postgres:*', entrypoint: ['docker-entrypoint.sh'], cmd: ['postgres'] },
        { match: 'tools/*', entrypoint: [], cmd: ['serve'] },
      ],
      overrides: { allow: ['Role', 'LogLevel'], roles: ['db-*'] },
      failurePolicy: 'Fail',
    });
    expect(rule.vault).to.deep.equal({
      address: 'https://vault.example.com/edge',
      allowPlaintext: false,
      namespace: 'admin/team-a',
      timeout: '1m30s',
      proxyURL: 'http://[2001:db8::1]:3128',
      tls: {
        caBundle: '',
        caRef: { kind: 'Secret', name: 'vault-ca', key: 'bundle.pem' },
        serverName: 'vault.internal',
      },
      auth: {
        method: 'JWT',
        mountPath: 'clusters/eu-1',
        role: 'db',
        audience: 'vault',
        isForAPIServer: false,
        tokenExpirationSeconds: 5400,
        details: {},
      },
    });
    expect(rule.environment).to.deep.equal({
      fromPaths: [
        { path: 'secret/data/db', version: 3, prefix: 'DB_', overwrite: true },
        { path: 'secret/data/app', prefix: '', overwrite: false },
      ],
      ignoreMissing: true,
      passthrough: ['VAULT_ADDR'],
      literals: ['SPRING_*'],
      transit: { keyID: 'shop', mountPath: 'eu/transit', batchSize: 100 },
      allowedNames: ['PATH'],
      allowedPaths: ['secret/data/*'],
      writes: ['pki/issue/*'],
    });
    expect(rule.injector).to.deep.equal({
      image: 'mirror.example.com/vault-env@sha256:' + 'a'.repeat(64),
      imagePullPolicy: 'Always',
      delivery: 'InitContainer',
      isAuto: false,
      resources: { requests: { cpu: '1' }, limits: { memory: '128Mi' } },
      securityContext: { runAsUser: 1000, runAsGroup: 0 },
    });
  });

  it('says that a suspended policy has no rule, whatever else is wrong with it', () => {
    expect(compilePolicy(policyOf({ suspend: true }), defaults)).to.deep.equal({ ok: true, suspended: true });
    const broken = policyOf({ suspend: true, vault: { timeout: 'soon' } });
    expect(compilePolicy(broken, defaults)).to.deep.equal({ ok: true, suspended: true });
  });

  const details: readonly (readonly [says: string, written: Written, at: string, expected: unknown])[] = [
    ['mounts JWT at jwt', { vault: { auth: { method: 'JWT' } } }, 'vault.auth.mountPath', 'jwt'],
    ['mounts Certificate at cert', { vault: { auth: { method: 'Certificate' } } }, 'vault.auth.mountPath', 'cert'],
    [
      'logs in with a Secret',
      { vault: { auth: { method: 'AppRole', secretRef: { name: 'shop' } } } },
      'vault.auth.secretRef',
      { name: 'shop' },
    ],
    [
      'hands on what only one method knows',
      { vault: { auth: { method: 'AWS', type: 'IAM', region: 'eu-west-1', headerValue: 'v' } } },
      'vault.auth.details',
      { type: 'IAM', region: 'eu-west-1', headerValue: 'v' },
    ],
    [
      'leaves out what is empty, as templates make it',
      { vault: { auth: { secretIDWrapped: false, serviceAccount: '', resource: '' } } },
      'vault.auth.details',
      {},
    ],
    [
      'drops slashes at the end of the address',
      { vault: { address: 'https://v:8200//' } },
      'vault.address',
      'https://v:8200',
    ],
    [
      'keeps an http address',
      { vault: { address: 'http://[::1]:8200', allowPlaintext: true } },
      'vault.address',
      'http://[::1]:8200',
    ],
    ['takes an inline CA', { vault: { tls: { caBundle: CA + CA } } }, 'vault.tls.caBundle', CA + CA],
    ['lets Auto be InitContainer', { injector: { delivery: 'Auto' } }, 'injector.delivery', 'InitContainer'],
    ['delivers by image volume', { injector: { delivery: 'ImageVolume' } }, 'injector.delivery', 'ImageVolume'],
    ['takes an empty image as none', { injector: { image: '' } }, 'injector.image', defaults.injectorImage],
    ['takes empty resources at their word', { injector: { resources: {} } }, 'injector.resources', {}],
  ];
  for (const [says, written, at, expected] of details)
    it(says, () => {
      expect(ruleOf(written)).to.have.deep.nested.property(at, expected);
    });

  it('needs an injector image, from the policy or from the operator', () => {
    const none = { ...defaults, injectorImage: '' };
    expect(compilePolicy(policyOf(), none)).to.deep.include({ ok: false, reason: 'InjectorImageMissing' });
    expect(compilePolicy(policyOf({ injector: { image: 'vault-env:1' } }), none).ok).to.equal(true);
  });

  const body = CA.split('\n').slice(1, -2).join('\n');
  const faults: readonly (readonly [written: Written, reason: string, message: string])[] = [
    [{ vault: { address: 'vault:8200' } }, 'AddressInvalid', 'spec.vault.address: write http or https'],
    [{ vault: { address: 'https://me:pw@vault' } }, 'AddressInvalid', 'spec.vault.address'],
    [{ vault: { address: 'http://vault' } }, 'PlaintextNotAllowed', 'spec.vault.allowPlaintext: true'],
    [{ vault: { address: 'https://vault?x=1' } }, 'AddressInvalid', 'spec.vault.address'],
    [{ vault: { address: 'https://vault:99999' } }, 'AddressInvalid', 'spec.vault.address'],
    [{ vault: { timeout: 'soon' } }, 'DurationInvalid', 'spec.vault.timeout: write a duration from 1s to 5m'],
    [{ vault: { timeout: '0s' } }, 'DurationInvalid', 'spec.vault.timeout'],
    [
      { vault: { auth: { tokenExpiration: '9m' } } },
      'DurationInvalid',
      'spec.vault.auth.tokenExpiration: write a duration from 10m to 24h',
    ],
    [{ process: { delay: '11m' } }, 'DurationInvalid', 'spec.process.delay: write a duration from 0s to 10m'],
    [
      { process: { mode: 'Daemon', leaseEnd: { gracePeriod: '1h' } } },
      'DurationInvalid',
      'spec.process.leaseEnd.gracePeriod: write a duration from 0s to 10m',
    ],
    [{ rotation: { interval: '1s' } }, 'DurationInvalid', 'spec.rotation.interval: write a duration from 5s to 24h'],
    [{ vault: { tls: { caBundle: body } } }, 'CABundleInvalid', 'it contains no certificate'],
    [{ vault: { tls: { caBundle: CA + CA.slice(0, 80) } } }, 'CABundleInvalid', 'certificate 2 is truncated'],
    [
      { vault: { tls: { caBundle: CA + CA.replace(body, 'AAAA') } } },
      'CABundleInvalid',
      'spec.vault.tls.caBundle: certificate 2 cannot be parsed',
    ],
    [
      { injector: { resources: { limits: { memory: '64 MB' } } } },
      'ResourcesInvalid',
      'spec.injector.resources.limits.memory: write a quantity',
    ],
    [
      { injector: { resources: { requests: { cpu: -1 } } } },
      'ResourcesInvalid',
      'spec.injector.resources.requests.cpu',
    ],
    [
      { environment: { fromPaths: [{ path: 'kv/a' }, { path: 'kv/b/d' }], allowedPaths: ['kv/a', 'kv/b/*/c*d'] } },
      'PathNotAllowed',
      'spec.environment.fromPaths[1].path: is not in allowedPaths',
    ],
  ];
  for (const [written, reason, message] of faults)
    it(`returns ${reason} for ${message}`, () => {
      const compiled = compilePolicy(policyOf(written), defaults);
      expect(compiled).to.deep.include({ ok: false, reason });
      expect(compiled).to.have.property('message').that.contains(message);
    });

  it('never repeats what was written, which may be a secret in the wrong place', () => {
    const compiled = compilePolicy(policyOf({ vault: { address: 'https://me:hunter2@vault' } }), defaults);
    expect(JSON.stringify(compiled)).not.to.contain('hunter2');
  });

  for (const quantity of [1, 0, '1', '100m', '0.5', '.5', '64Mi', '1G', '1e3', '+2'])
    it(`accepts ${JSON.stringify(quantity)} as a quantity`, () => {
      expect(
        ruleOf({ injector: { resources: { limits: { cpu: quantity } } } }).injector.resources?.limits,
      ).to.deep.equal({
        cpu: String(quantity),
      });
    });
});

describe('the hash of a rule', () => {
  const hash = (written?: Written): string => ruleOf(written).hash;

  it('is the same for the same content, in whatever order it was written', () => {
    const ordered = { when: 'Always', probes: true };
    const reordered = { probes: true, when: 'Always' };
    expect(hash({ inject: ordered })).to.equal(hash({ inject: reordered }));
    expect(hash({ metadata: { name: 'other', uid: 'u-2', generation: 9 } })).to.equal(hash());
  });

  it('stays the same when fields are added that nobody has set', () => {
    // the first version knew no audience but the API server's own
    expect(hash({ vault: { auth: { audience: '' } } })).to.equal('8ec4d63f7b15');
  });

  const same: readonly Written[] = [
    { priority: 5 },
    { targets: ['Deployment'] },
    { selector: { matchLabels: { app: 'a' } } },
    { overrides: { allow: ['LogLevel'] } },
    { failurePolicy: 'Fail' },
    { vault: { address: 'https://vault.vault.svc:8200/' } },
    { rollout: { strategy: 'Automatic', maxConcurrent: 3 } },
    { rotation: { strategy: 'Restart', interval: '5m' } },
    { inject: { sources: { configMaps: 'Read', secrets: 'Ignore' } } },
    { environment: { writes: [] } },
    { environment: { literals: [] } },
    { vault: { proxyURL: '' } },
  ];
  for (const written of same)
    it(`is not changed by ${JSON.stringify(written)}`, () => {
      expect(hash(written)).to.equal(hash());
    });

  const different: readonly Written[] = [
    { inject: { when: 'Always' } },
    { inject: { containers: { include: ['app'] } } },
    { inject: { initContainers: false } },
    { inject: { sources: { configMaps: 'Ignore' } } },
    { inject: { sources: { secrets: 'Read' } } },
    { vault: { address: 'https://other' } },
    { vault: { auth: { role: 'r' } } },
    { vault: { auth: { method: 'AppRole', secretRef: { name: 'a' } } } },
    { vault: { auth: { method: 'AppRole', secretRef: { name: 'b' } } } },
    { vault: { auth: { method: 'Azure', resource: 'api://vault' } } },
    { vault: { tls: { caBundle: CA } } },
    { vault: { proxyURL: 'http://proxy:3128' } },
    { environment: { ignoreMissing: true } },
    { environment: { fromPaths: [{ path: 'a' }] } },
    { environment: { fromPaths: [{ path: 'b' }] } },
    { environment: { fromPaths: [{ path: 'b' }, { path: 'a' }] } },
    { environment: { fromPaths: [{ path: 'a' }, { path: 'b' }] } },
    { environment: { transit: { keyID: 'shop' } } },
    { environment: { allowedNames: ['PATH'] } },
    { environment: { writes: ['pki/issue/*'] } },
    { environment: { literals: ['VAULT_IMAGE'] } },
    { environment: { allowedPaths: ['pki/issue/*'] } },
    { process: { delay: '1s' } },
    { process: { mode: 'Daemon' } },
    { process: { mode: 'Daemon', leaseEnd: { action: 'Keep' } } },
    { process: { revokeToken: false } },
    { process: { refuseExec: true } },
    { injector: { image: 'other:1' } },
    { injector: { delivery: 'ImageVolume' } },
    { images: [{ match: 'redis', cmd: ['redis-server'] }] },
  ];
  it('differs for everything that shapes a template', () => {
    const hashes = [hash(), ...different.map((written) => hash(written))];
    expect(new Set(hashes)).to.have.property('size', hashes.length);
  });
});

function everything(): Written {
  return {
    priority: 10,
    targets: ['StatefulSet'],
    selector: {
      matchLabels: { app: 'db' },
      matchExpressions: [
        { key: 'tier', operator: 'In', values: ['a', 'b'] },
        { key: 'legacy', operator: 'DoesNotExist' },
      ],
    },
    inject: {
      when: 'Always',
      containers: { include: ['db', 'sidecar-*'], exclude: ['sidecar-log'] },
      initContainers: false,
      probes: true,
    },
    vault: {
      address: 'https://vault.example.com/edge/',
      namespace: 'admin/team-a',
      timeout: '1m30s',
      proxyURL: 'http://[2001:db8::1]:3128',
      tls: { caRef: { kind: 'Secret', name: 'vault-ca', key: 'bundle.pem' }, serverName: 'vault.internal' },
      auth: {
        method: 'JWT',
        mountPath: 'clusters/eu-1',
        role: 'db',
        audience: 'vault',
        tokenExpiration: '1h30m',
      },
    },
    environment: {
      fromPaths: [{ path: 'secret/data/db', version: 3, prefix: 'DB_', overwrite: true }, { path: 'secret/data/app' }],
      ignoreMissing: true,
      passthrough: ['VAULT_ADDR'],
      literals: ['SPRING_*'],
      transit: { keyID: 'shop', mountPath: 'eu/transit', batchSize: 100 },
      allowedNames: ['PATH'],
      allowedPaths: ['secret/data/*'],
      writes: ['pki/issue/*'],
    },
    process: {
      mode: 'Daemon',
      leaseEnd: { action: 'Keep', signal: 'SIGHUP', gracePeriod: '1m' },
      delay: '2s',
      revokeToken: false,
      refuseExec: true,
      log: { level: 'Debug', format: 'JSON' },
    },
    injector: {
      image: 'mirror.example.com/vault-env@sha256:' + 'a'.repeat(64),
      imagePullPolicy: 'Always',
      delivery: 'InitContainer',
      resources: { requests: { cpu: 1 }, limits: { memory: '128Mi' } },
      securityContext: { runAsUser: 1000, runAsGroup: 0 },
    },
    images: [
      { match: 'postgres:*', entrypoint: ['docker-entrypoint.sh'], cmd: ['postgres'] },
      { match: 'tools/*', cmd: ['serve'] },
    ],
    overrides: { allow: ['Role', 'LogLevel'], roles: ['db-*'] },
    failurePolicy: 'Fail',
  };
}
