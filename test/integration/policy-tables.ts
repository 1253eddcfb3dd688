/** Policies as people get them wrong, and what the API server is to say about each. */
import { BAD_LOGINS, GOOD_LOGINS } from './login-tables.ts';
import { bad, vault, type BadPolicy, type Spec } from './policy-case.ts';

const tls = (fields: Spec): Spec => vault({ tls: fields });
const environment = (fields: Spec): Spec => ({ environment: fields });
const fromPath = (path: string, more: Spec = {}): Spec => environment({ fromPaths: [{ path, ...more }] });
const injector = (fields: Spec): Spec => ({ injector: fields });
const daemon = (fields: Spec): Spec => ({ process: { mode: 'Daemon', ...fields } });
const expression = (fields: Spec): Spec => ({ selector: { matchExpressions: [{ key: 'app', ...fields }] } });

export const BAD_POLICIES: readonly BadPolicy[] = [
  ...bad('spec.vault.address', 'Required value', { 'no address': { vault: {} } }),
  ...bad('spec.vault.address', 'write the address with its scheme', {
    'an address without scheme': vault({ address: 'vault.vault.svc:8200' }),
    'an address of another scheme': vault({ address: 'ftp://vault' }),
  }),
  ...bad('spec.vault.address', 'http sends tokens and secrets unencrypted', {
    'plain http': vault({ address: 'http://vault:8200' }),
    'plain http to loopback': vault({ address: 'http://127.0.0.1:8200/', allowPlaintext: false }),
  }),
  ...bad('spec.vault.allowPlaintext', 'omit allowPlaintext', {
    'consent to http for https': vault({ allowPlaintext: true }),
  }),
  ...bad('spec.vault.address', 'write the address without user and password', {
    'an address with a password': vault({ address: 'https://me:secret@vault:8200' }),
  }),
  ...bad('spec.vault.address', 'write the address without query and fragment', {
    'an address with a query': vault({ address: 'https://vault:8200/?a=b' }),
    'an address with a fragment': vault({ address: 'https://vault:8200/#x' }),
  }),
  ...bad('spec.vault.address', 'write a host name or IP address, then :PORT and /PATH', {
    'an address without host': vault({ address: 'https://' }),
    'an address with a space': vault({ address: 'https://vault :8200' }),
    'an address with a variable': vault({ address: 'https://$(VAULT_HOST)' }),
    'an address in two lines': vault({ address: 'https://vault:8200\nX: y' }),
  }),
  ...bad('spec.vault.address', 'write a port from 1 to 65535', {
    'port 0': vault({ address: 'https://vault:0' }),
    'port 65536': vault({ address: 'https://vault:65536' }),
  }),
  ...bad('spec.vault.namespace', 'without slashes at its ends', { 'a Vault namespace /a': vault({ namespace: '/a' }) }),
  ...bad('spec.vault.timeout', 'write a duration from 1s to 5m', {
    'no time': vault({ timeout: '0s' }),
    'half a second': vault({ timeout: '500ms' }),
    'six minutes': vault({ timeout: '6m' }),
    'a negative duration': vault({ timeout: '-5s' }),
    'a number without unit': vault({ timeout: '30' }),
    'a duration in words': vault({ timeout: 'ten seconds' }),
    'a duration with a fraction': vault({ timeout: '1.5s' }),
    'an empty duration': vault({ timeout: '' }),
    'a duration of many years': vault({ timeout: '999999h999999m' }),
  }),
  ...bad('spec.vault.proxyURL', 'write the proxy with its scheme', {
    'a proxy without scheme': vault({ proxyURL: 'proxy:3128' }),
    'a proxy of another kind': vault({ proxyURL: 'socks5://proxy:1080' }),
  }),
  ...bad('spec.vault.proxyURL', 'write the proxy without user and password', {
    'a proxy with a password': vault({ proxyURL: 'http://me:secret@proxy:3128' }),
  }),
  ...bad('spec.vault.proxyURL', 'and a port, and nothing after it', {
    'a proxy without port': vault({ proxyURL: 'http://proxy' }),
    'a proxy with a path': vault({ proxyURL: 'http://proxy:3128/' }),
    'a proxy with a query': vault({ proxyURL: 'http://proxy:3128?a' }),
    'a proxy in two lines': vault({ proxyURL: 'http://proxy:3128\nX: y' }),
  }),
  ...bad('spec.vault.proxyURL', 'write a port from 1 to 65535', {
    'a proxy at port 0': vault({ proxyURL: 'http://proxy:0' }),
    'a proxy at port 65536': vault({ proxyURL: 'http://proxy:65536' }),
  }),
  ...bad('spec.vault.tls', 'tls needs an address that begins with https://', {
    'a CA for http': {
      vault: { address: 'http://vault:8200', allowPlaintext: true, tls: { caRef: { kind: 'Secret', name: 'ca' } } },
    },
    'a server name for http': {
      vault: { address: 'http://vault:8200', allowPlaintext: true, tls: { serverName: 'vault' } },
    },
  }),
  ...bad('spec.vault.tls.caBundle', 'write PEM', {
    'a CA as base64 of PEM': tls({ caBundle: 'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t' }),
    'a CA that has no end': tls({ caBundle: '-----BEGIN CERTIFICATE-----\nAAAA' }),
  }),
  ...bad('spec.vault.tls.caBundle', 'remove the private key', {
    'a private key among the CAs': tls({
      caBundle: '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----\n',
    }),
  }),
  ...bad('spec.vault.tls.caBundle', 'write caBundle or caRef, not both', {
    'two CAs': tls({
      caBundle: '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n',
      caRef: { kind: 'Secret', name: 'ca' },
    }),
  }),
  ...bad('spec.vault.tls.caRef.kind', 'Unsupported value', {
    'a CA in a Pod': tls({ caRef: { kind: 'Pod', name: 'ca' } }),
  }),
  ...bad('spec.vault.tls.caRef.name', 'write the name of a ConfigMap or Secret', {
    'a CA in another namespace': tls({ caRef: { kind: 'Secret', name: 'vault/ca' } }),
  }),
  ...bad('spec.vault.tls.caRef.key', 'write the key of a ConfigMap or Secret', {
    'a key that is a path': tls({ caRef: { kind: 'Secret', name: 'ca', key: '../ca.crt' } }),
  }),
  ...bad('spec.vault.tls.serverName', 'write a host name without scheme and port', {
    'a server name with a port': tls({ serverName: 'vault:8200' }),
  }),
  ...BAD_LOGINS,
  ...bad('spec.environment.fromPaths[0].path', 'write the path alone', {
    'a reference as path': fromPath('vault:secret/data/app'),
    'a key in the path': fromPath('secret/data/app#password'),
  }),
  ...bad('spec.environment.fromPaths[0].path', 'without a leading slash and without v1/', {
    'a path with a slash before it': fromPath('/secret/data/app'),
    'a path of the HTTP API': fromPath('v1/secret/data/app'),
  }),
  ...bad('spec.environment.fromPaths[0].path', 'without empty, . and .. segments', {
    'a path that climbs': fromPath('secret/data/../../sys/raw'),
    'a path with an empty segment': fromPath('secret//app'),
    'a path with a slash after it': fromPath('secret/data/app/'),
  }),
  ...bad('spec.environment.fromPaths[0].path', 'write one path', {
    'a path with a wildcard': fromPath('secret/data/*'),
    'a path with a query': fromPath('secret/data/app?version=1'),
    'a path in two lines': fromPath('secret/data/app\nx'),
  }),
  ...bad('spec.environment.fromPaths[0].version', 'should be greater than or equal to 1', {
    'version 0': fromPath('secret/data/app', { version: 0 }),
  }),
  ...bad('spec.environment.fromPaths[0].prefix', 'and no leading digit', {
    'a prefix that begins with a digit': fromPath('secret/data/app', { prefix: '2ND_' }),
    'a prefix with a dash': fromPath('secret/data/app', { prefix: 'APP-' }),
  }),
  ...bad('spec.environment.fromPaths', 'write each path and version once', {
    'a path twice': environment({ fromPaths: [{ path: 'kv/a' }, { path: 'kv/b' }, { path: 'kv/a', prefix: 'A_' }] }),
    'a version twice': environment({
      fromPaths: [
        { path: 'kv/a', version: 2 },
        { path: 'kv/a', version: 2 },
      ],
    }),
  }),
  ...bad('spec.environment.fromPaths', 'every path of fromPaths must be in allowedPaths', {
    'a path outside': environment({ fromPaths: [{ path: 'kv/b' }], allowedPaths: ['kv/a', 'kv/c/*'] }),
    'a path outside of a suffix': environment({ fromPaths: [{ path: 'kv/b/rw' }], allowedPaths: ['kv/*/ro'] }),
  }),
  ...bad('spec.environment.allowedPaths[0]', 'write a path with * for any number', {
    'a path pattern of a shell': environment({ allowedPaths: ['secret/data/app?'] }),
  }),
  ...bad('spec.environment.allowedPaths[0]', 'without a leading slash', {
    'a path pattern with a slash before it': environment({ allowedPaths: ['/secret/*'] }),
  }),
  ...bad('spec.environment.writes[0]', 'write the path alone, without >>vault:', {
    'a write as it is in a manifest': environment({ writes: ['>>vault:pki/issue/web'] }),
    'a key of a write': environment({ writes: ['pki/issue/web#certificate'] }),
  }),
  ...bad('spec.environment.writes[0]', 'without a leading slash', {
    'a path of the HTTP API to write': environment({ writes: ['v1/pki/issue/*'] }),
  }),
  ...bad('spec.environment.writes[0]', 'without empty, . and .. segments', {
    'a path to write that climbs': environment({ writes: ['pki/../sys/*'] }),
  }),
  ...bad('spec.environment.writes[0]', 'write a path with * for any number', {
    'a path to write with a space': environment({ writes: ['pki/issue/a b'] }),
  }),
  ...bad('spec.environment.writes[1]', 'Duplicate value', {
    'a path to write twice': environment({ writes: ['pki/issue/*', 'pki/issue/*'] }),
  }),
  ...bad('spec.environment.passthrough[0]', 'write names of VAULT_ variables', {
    'a variable of another family': environment({ passthrough: ['PATH'] }),
    'a variable in lower case': environment({ passthrough: ['VAULT_addr'] }),
  }),
  ...bad('spec.environment.transit.keyID', 'write the name of a transit key', {
    'a transit key that is a path': environment({ transit: { keyID: 'transit/keys/shop' } }),
  }),
  ...bad('spec.environment.transit.mountPath', 'write the mount path without a slash at its ends', {
    'a transit mount with a slash after it': environment({ transit: { keyID: 'shop', mountPath: 'transit/' } }),
    'a transit mount that climbs': environment({ transit: { keyID: 'shop', mountPath: 'a/../sys' } }),
  }),
  ...bad('spec.environment.transit.batchSize', 'should be greater than or equal to 1', {
    'batches of nothing': environment({ transit: { keyID: 'shop', batchSize: 0 } }),
  }),
  ...bad('spec.environment.literals[0]', 'write the name of a variable, with * for any number of characters', {
    'a literal with its value': environment({ literals: ['IMAGE=vault:1.15'] }),
  }),
  ...bad('spec.environment.allowedNames[0]', 'write the name of a variable', {
    'names by wildcard': environment({ allowedNames: ['LD_*'] }),
  }),
  ...bad('spec.process.delay', 'write a duration from 0s to 10m', { 'an hour of delay': { process: { delay: '1h' } } }),
  ...bad('spec.process.mode', 'Unsupported value', { 'mode daemon': { process: { mode: 'daemon' } } }),
  ...bad('spec.process.leaseEnd', 'write mode Daemon, or omit leaseEnd', {
    'the end of a lease that nobody renews': { process: { leaseEnd: { action: 'Keep' } } },
    'the end of a lease where annotations may change something else': {
      process: { mode: 'Exec', leaseEnd: {} },
      overrides: { allow: ['LogLevel'] },
    },
  }),
  ...bad('spec.process.leaseEnd.signal', 'write the name of a signal that ends a program', {
    'a signal by number': daemon({ leaseEnd: { signal: '15' } }),
    'a signal without SIG': daemon({ leaseEnd: { signal: 'TERM' } }),
    'a signal that stops a program': daemon({ leaseEnd: { signal: 'SIGSTOP' } }),
    'a real-time signal that is none': daemon({ leaseEnd: { signal: 'SIGRTMIN+16' } }),
  }),
  ...bad('spec.process.leaseEnd.gracePeriod', 'write a duration from 0s to 10m', {
    'an hour of grace': daemon({ leaseEnd: { gracePeriod: '1h' } }),
  }),
  ...bad('spec.rotation.vault', "write the name of an entry of the operator's setting vaultIdentities", {
    'an address instead of an entry': { rotation: { vault: 'https://vault.example.com:8200' } },
    'an entry in capitals': { rotation: { vault: 'Main' } },
  }),
  ...bad('spec.rotation.interval', 'write a duration from 5s to 24h', {
    'no pause between polls': { rotation: { strategy: 'Restart', interval: '0s' } },
  }),
  ...bad('spec.process.refuseExec', 'omit it, or write inject.probes false', {
    'one start a container, and probes that start': { process: { refuseExec: true }, inject: { probes: true } },
  }),
  ...bad('spec.process.log.level', 'Unsupported value', { 'log level info': { process: { log: { level: 'info' } } } }),
  ...bad('spec.inject.containers.include[0]', 'write the name of a container', {
    'a regular expression for containers': { inject: { containers: { include: ['app.+'] } } },
  }),
  ...bad('spec.inject.containers.exclude[0]', 'to inject nothing write suspend true', {
    'every container excluded': { inject: { containers: { exclude: ['*'] } } },
  }),
  ...bad('spec.targets', 'should have at least 1 items', { 'no targets': { targets: [] } }),
  ...bad('spec.targets[0]', 'Deployment|StatefulSet|DaemonSet', {
    'a misspelt target': { targets: ['Deploymnet'] },
    'a target in lower case': { targets: ['deployment'] },
    'a built-in target with its group': { targets: ['Deployment.apps'] },
  }),
  ...bad('spec.targets[1]', 'Duplicate value', { 'a target twice': { targets: ['Deployment', 'Deployment'] } }),
  ...bad('spec.selector.matchExpressions[0].values', 'In and NotIn need at least one value', {
    'In without values': expression({ operator: 'In' }),
    'NotIn without values': expression({ operator: 'NotIn', values: [] }),
  }),
  ...bad('spec.selector.matchExpressions[0].values', 'Exists and DoesNotExist take no values', {
    'Exists with values': expression({ operator: 'Exists', values: ['a'] }),
  }),
  ...bad('spec.selector.matchExpressions[0].key', 'write the name of a label', {
    'a label with two slashes': expression({ operator: 'Exists', key: 'a/b/c' }),
  }),
  ...bad('spec.injector.image', 'write an image reference', {
    'an image with a scheme': injector({ image: 'https://registry/vault-env:1 ' }),
  }),
  ...bad('spec.injector.resources', 'delivery ImageVolume does without', {
    'resources for an image volume': injector({ delivery: 'ImageVolume', resources: { limits: { cpu: 1 } } }),
  }),
  ...bad('spec.injector.securityContext', 'delivery ImageVolume does without', {
    'a user for an image volume': injector({ delivery: 'ImageVolume', securityContext: { runAsUser: 1000 } }),
  }),
  ...bad('spec.injector.resources.limits', 'write quantities', {
    'memory in MB': injector({ resources: { limits: { memory: '64MB' } } }),
    'negative memory': injector({ resources: { limits: { memory: '-1Gi' } } }),
  }),
  ...bad('spec.injector.resources.requests', 'write cpu, memory or ephemeral-storage', {
    'a request for a GPU': injector({ resources: { requests: { 'example.com/gpu': 1 } } }),
  }),
  ...bad('spec.injector.resources.limits', 'write at least 32Mi of memory', {
    'memory that cannot hold vault-env': injector({ resources: { limits: { memory: '8Mi' } } }),
  }),
  ...bad('spec.injector.resources.requests', 'a request must not be above its limit', {
    'a request above its limit': injector({ resources: { requests: { cpu: '1' }, limits: { cpu: '900m' } } }),
  }),
  ...bad('spec.injector.securityContext.runAsUser', 'write a user other than root', {
    'the root user': injector({ securityContext: { runAsUser: 0 } }),
  }),
  ...bad('spec.images[0].entrypoint', "write the image's entrypoint, its cmd, or both", {
    'an image without a command': { images: [{ match: 'redis:*' }] },
    'an image with an empty command': { images: [{ match: 'redis:*', entrypoint: [], cmd: [] }] },
  }),
  ...bad('spec.images[1]', 'Duplicate value', {
    'an image twice': {
      images: [
        { match: 'redis', cmd: ['a'] },
        { match: 'redis', cmd: ['b'] },
      ],
    },
  }),
  ...bad('spec.overrides.roles', 'roles count only where allow lists Role', {
    'roles that nobody may choose': { overrides: { allow: ['LogLevel'], roles: ['shop-*'] } },
  }),
  ...bad('spec.overrides.roles[0]', 'write the name of a Vault role, with *', {
    'a role pattern with a slash': { overrides: { allow: ['Role'], roles: ['a/*'] } },
  }),
  ...bad('spec.overrides.allow[0]', 'Unsupported value', {
    'an override that does not exist': { overrides: { allow: ['Address'] } },
  }),
  ...bad('spec.failurePolicy', 'Unsupported value', { 'failure policy fail': { failurePolicy: 'fail' } }),
  ...bad('spec.priority', 'should be less than or equal to 1000', { 'a priority too high': { priority: 1001 } }),
];

const DURATIONS = { timeout: '1m30s', auth: { tokenExpiration: '24h' } };

/** What must be accepted, each for a reason that a rule might have got wrong. */
export const GOOD_POLICIES: Readonly<Record<string, Spec>> = {
  ...GOOD_LOGINS,
  'an address with port and path': vault({ address: 'https://vault.example.com:8200/edge/' }),
  'an IPv4 address, with consent to http': vault({ address: 'http://10.0.0.1:8200', allowPlaintext: true }),
  'no consent to http, where none is needed': vault({ allowPlaintext: false }),
  'an IPv6 address': vault({ address: 'https://[2001:db8::1]:8200' }),
  'a host in upper case': vault({ address: 'https://Vault.Example.COM' }),
  'an entry of the operator': { rotation: { strategy: 'Restart', vault: 'main' } },
  'a proxy': vault({ proxyURL: 'http://Proxy.example.com:3128' }),
  'a proxy with TLS, and an IPv6 address': vault({ proxyURL: 'https://[2001:db8::1]:65535' }),
  'durations at their ends': vault({ ...DURATIONS, timeout: '5m' }),
  'a duration with milliseconds': vault({ ...DURATIONS, timeout: '1s500ms' }),
  'empty texts, as templates make them': vault({
    namespace: '',
    proxyURL: '',
    tls: { caBundle: '', serverName: '' },
    auth: { role: '', audience: '' },
  }),
  'an empty tls section for http': {
    vault: { address: 'http://vault', allowPlaintext: true, tls: { caBundle: '' } },
  },
  'a comment before the PEM': tls({ caBundle: '# ours\n-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n' }),
  'a CA in a ConfigMap': tls({ caRef: { kind: 'ConfigMap', name: 'vault.ca', key: 'ca-bundle.crt' } }),
  'two versions of one path': environment({
    fromPaths: [{ path: 'kv/a' }, { path: 'kv/a', version: 1 }, { path: 'kv/a', version: 2 }],
  }),
  'paths within allowedPaths': environment({
    fromPaths: [{ path: 'kv/a' }, { path: 'kv/b/c/d' }, { path: 'kv/x/ro' }],
    allowedPaths: ['kv/a', 'kv/b/*', 'kv/*/ro'],
  }),
  'paths to write that may not be read': environment({
    fromPaths: [{ path: 'kv/a' }],
    allowedPaths: ['kv/*'],
    writes: ['pki/issue/*', 'transit/*/shop'],
  }),
  'nothing to write, as templates make it': environment({ writes: [] }),
  'dots within a segment': fromPath('secret/data/app.v2/..x'),
  'a transit key': environment({ transit: { keyID: 'shop.v2', mountPath: 'eu/transit', batchSize: 1000 } }),
  'an empty transit key, as templates make it': environment({ transit: { keyID: '' } }),
  'variables that are text': environment({ literals: ['VAULT_IMAGE', 'SPRING_*', '*'] }),
  'names of variables that make programs run code': environment({ allowedNames: ['PATH', '_JAVA_OPTIONS'] }),
  'a token that is kept, and one start a container': { process: { revokeToken: false, refuseExec: true } },
  'daemon mode': daemon({}),
  'the end of a lease in daemon mode': daemon({
    leaseEnd: { action: 'Restart', signal: 'SIGRTMIN+15', gracePeriod: '0s' },
  }),
  'the end of a lease for workloads that choose daemon mode': {
    process: { leaseEnd: { action: 'Keep' } },
    overrides: { allow: ['Mode'] },
  },
  'no selector values for Exists': expression({ operator: 'Exists', values: [] }),
  'a label with a prefix': expression({ operator: 'Exists', key: 'app.kubernetes.io/name' }),
  'quantities as numbers': injector({ resources: { requests: { cpu: 1 }, limits: { cpu: 1, memory: 67108864 } } }),
  'an image with a port and a digest': injector({ image: `registry:5000/a/vault-env:1@sha256:${'a'.repeat(64)}` }),
  'an image volume': injector({ delivery: 'ImageVolume', imagePullPolicy: 'Always' }),
  'the root group': injector({ securityContext: { runAsUser: 1000, runAsGroup: 0 } }),
  'an image with a cmd only': { images: [{ match: '*/redis:*', cmd: ['redis-server'] }] },
  'roles that may be chosen': { overrides: { allow: ['Role'], roles: ['shop-*', '*'] } },
  'any role at all': { overrides: { allow: ['Role'] } },
  'suspended, with the lowest priority': { suspend: true, priority: -1000, targets: ['StatefulSet'] },
};

const many = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));

/** As large as the limits allow where rules compare everything with everything. */
export const LARGEST_POLICY: Spec = {
  ...environment({
    fromPaths: many(32, (at) => ({ path: `kv/${at}/`.padEnd(256, 'x'), version: 1 + at })),
    allowedPaths: many(32, (at) => `kv/${31 - at}/`.padEnd(255, 'x') + '*'),
    writes: many(32, (at) => `pki/issue/${at}/`.padEnd(255, 'x') + '*'),
    passthrough: many(32, (at) => `VAULT_${at}`.padEnd(64, '_')),
    allowedNames: many(32, (at) => `NAME_${at}`.padEnd(128, '_')),
    literals: many(32, (at) => `TEXT_${at}*`.padEnd(128, '_')),
  }),
  ...tls({
    caBundle: '-----BEGIN CERTIFICATE-----\n' + 'A'.repeat(32_700) + '\n-----END CERTIFICATE-----',
  }),
  images: many(64, (at) => ({
    match: `image-${at}`,
    entrypoint: many(32, () => 'e'.repeat(64)),
    cmd: many(32, () => 'c'.repeat(64)),
  })),
  selector: {
    matchExpressions: many(16, (at) => ({ key: `key-${at}`, operator: 'In', values: many(32, (n) => `v-${n}`) })),
  },
};
