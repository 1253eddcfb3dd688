// Generated from crds/vaultinjectionpolicies.yaml by build/generate/defaults.ts. Do not edit.

/** What the fields of a policy's spec hold where their author leaves them out. */
export const DEFAULTS = {
  suspend: false,
  priority: 0,
  targets: ['Deployment', 'StatefulSet'],
  inject: {
    when: 'References',
    containers: { include: ['*'] },
    initContainers: true,
    probes: false,
    sources: { configMaps: 'Read', secrets: 'Ignore' },
  },
  vault: { timeout: '10s', tls: { caRef: { key: 'ca.crt' } }, auth: { method: 'Kubernetes', tokenExpiration: '10m' } },
  environment: {
    fromPaths: { overwrite: false },
    ignoreMissing: false,
    transit: { mountPath: 'transit', batchSize: 25 },
  },
  process: {
    mode: 'Exec',
    leaseEnd: { action: 'Restart', signal: 'SIGTERM', gracePeriod: '10s' },
    delay: '0s',
    revokeToken: true,
    refuseExec: false,
    log: { level: 'Info', format: 'Text' },
  },
  injector: { delivery: 'Auto' },
  rollout: { strategy: 'Manual', maxConcurrent: 1 },
  rotation: { strategy: 'None', interval: '1m' },
  failurePolicy: 'Ignore',
} as const;
