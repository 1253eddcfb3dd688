import { shortHash } from '../../core/hash.ts';
import { without } from '../../core/json.ts';
import type { AuthMethod } from '../../core/auth-methods.ts';
import type { Rule } from '../../core/policy/rule.ts';
import { ruleWith } from './example-rule.ts';
import { deployment } from './example-workload.ts';
import type { Workload } from './example-workload.ts';
import type { Random } from './random.ts';

/**
 * A workload as somebody might write it, without a record and without empty lists (the API server stores none). Names
 * come from small pools, so that two of them, with the same lookalikes, read like two versions of one manifest.
 */
export function randomWorkload(random: Random, lookalikes = randomLookalikes(random)): Workload {
  const names = random.some(['app', 'proxy', 'worker', 'vault-env']);
  const initNames = random.some(['migrate', 'sidecar', 'wait'], 0.3);
  const volumes = [...random.some(VOLUMES), ...lookalikes];
  const podSpec = {
    ...(initNames.length > 0 && { initContainers: initNames.map((name) => randomContainer(random, name, volumes)) }),
    containers: (names.length > 0 ? names : ['app']).map((name) => randomContainer(random, name, volumes)),
    ...(volumes.length > 0 && { volumes }),
    ...(random.chance(0.3) && { serviceAccountName: 'web' }),
    ...(random.chance(0.3) && { securityContext: { runAsUser: random.pick([0, 1000]) } }),
  };
  const object = deployment(podSpec, random.chance(0.5) ? { 'example.com/a': random.pick(['1', '2']) } : undefined);
  // not the name of the policy: once it is merged into ours, nobody knows whose it is
  if (random.chance(0.2)) Object.assign(object.spec.template.metadata.labels, { 'vaultinjection.dev/policy': 'mine' });
  return object;
}

export function randomRule(random: Random): Rule {
  const delivery = random.pick<'InitContainer' | 'ImageVolume'>(['InitContainer', 'ImageVolume']);
  const base = ruleWith({
    policy: { generation: 1 + random.upTo(3) },
    when: random.pick(['References', 'Always']),
    initContainers: random.chance(0.7),
    probes: random.chance(0.5),
    containers: { include: ['*'], exclude: random.chance(0.3) ? ['proxy'] : [] },
    injector: { delivery },
    vault: {
      auth: {
        method: random.pick<AuthMethod>(['Kubernetes', 'Kubernetes', 'JWT', 'AppRole', 'Certificate', 'AWS']),
        secretRef: { name: 'login' },
        role: random.pick(['', 'shop']),
        audience: random.pick(['', 'vault']),
      },
    },
    // Every image is known, so that nothing is denied.
    images: [{ match: '*', entrypoint: ['/entrypoint'], cmd: ['serve', 'all'] }],
  });
  if (random.chance(0.7)) return hashed(base);
  const caRef = {
    kind: random.pick<'ConfigMap' | 'Secret'>(['ConfigMap', 'Secret']),
    name: 'ca',
    key: 'ca.crt',
  } as const;
  return hashed({ ...base, vault: { ...base.vault, tls: { ...base.vault.tls, caRef } } });
}

/** As the compiler does it: equal hashes inject equally. */
function hashed(rule: Rule): Rule {
  return { ...rule, hash: shortHash(JSON.stringify(without({ ...rule }, 'policy', 'hash'))) };
}

/** Volumes with names that injection would like to give. */
export function randomLookalikes(random: Random): readonly { name: string }[] {
  return random.some(LOOKALIKES);
}

const VOLUMES: readonly ({ name: string } & Record<string, unknown>)[] = [
  { name: 'data', emptyDir: {} },
  { name: 'config', configMap: { name: 'config', defaultMode: 420 } },
];

const LOOKALIKES: readonly ({ name: string } & Record<string, unknown>)[] = [
  { name: 'vault-env', configMap: { name: 'mine', defaultMode: 420 } },
  { name: 'vault-env-token', hostPath: { path: '/x', type: '' } },
  { name: 'vault-env-ca', configMap: { name: 'whole', defaultMode: 420 } },
  { name: 'vault-env-credentials', secret: { secretName: 'mine', defaultMode: 420 } },
];

const MOUNTS = [
  { name: 'data', mountPath: '/data' },
  { name: 'config', mountPath: '/etc/config', readOnly: true },
  { name: 'vault-env', mountPath: '/vault-env', readOnly: true },
  { name: 'vault-env-ca', mountPath: '/vault-env-ca/own', readOnly: true },
];

const VARIABLES = [
  { name: 'PLAIN', value: 'text' },
  { name: 'PASSWORD', value: 'vault:secret/data/a#b' },
  { name: 'URL', value: 'redis://${vault:secret/data/redis#password}@redis' },
  { name: 'BROKEN', value: 'vault:secret/data/a' },
  { name: 'POD', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
];

function randomContainer(random: Random, name: string, volumes: readonly { name: string }[]): object {
  const env = random.some(VARIABLES).map((variable) => ({ ...variable }));
  const mountable = MOUNTS.filter((mount) => volumes.some(({ name }) => name === mount.name));
  const volumeMounts = random.some(mountable, 0.5);
  const exec = (): object => ({ exec: { command: random.words(['/check', '-v', '--'], 3) } });
  return {
    name,
    image: random.pick(['registry.example.com/a:1', 'registry.example.com/b:2']),
    ...(random.chance(0.7) && { command: random.words(['/run', 'sh', '-c'], 3) }),
    ...(random.chance(0.6) && { args: random.words(['--', '-x', 'on', ''], 4) }),
    ...(env.length > 0 && { env }),
    ...(volumeMounts.length > 0 && { volumeMounts }),
    ...(random.chance(0.3) && { livenessProbe: random.chance(0.7) ? exec() : { httpGet: { path: '/', port: 80 } } }),
    ...(random.chance(0.2) && { lifecycle: { preStop: exec() } }),
  };
}
