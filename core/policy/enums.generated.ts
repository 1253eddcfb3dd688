// Generated from crds/vaultinjectionpolicies.yaml by build/generate/enums.ts. Do not edit.

/** What the fields of a policy's spec may hold, where that is one of a few words. */
export const ENUMS = {
  targets: ['Deployment', 'StatefulSet'],
  selector: { matchExpressions: { operator: ['In', 'NotIn', 'Exists', 'DoesNotExist'] } },
  inject: {
    when: ['References', 'Annotation', 'Always'],
    sources: { configMaps: ['Read', 'Ignore', 'Assume'], secrets: ['Read', 'Ignore', 'Assume'] },
  },
  vault: {
    tls: { caRef: { kind: ['ConfigMap', 'Secret'] } },
    auth: { method: ['Kubernetes', 'JWT', 'AppRole', 'Certificate', 'AWS', 'GCP', 'Azure'], type: ['IAM', 'GCE'] },
  },
  process: {
    mode: ['Exec', 'Daemon'],
    leaseEnd: { action: ['Restart', 'Keep'] },
    log: { level: ['Debug', 'Info', 'Warn', 'Error'], format: ['Text', 'JSON'] },
  },
  injector: {
    imagePullPolicy: ['Always', 'IfNotPresent', 'Never'],
    delivery: ['Auto', 'InitContainer', 'ImageVolume'],
  },
  overrides: { allow: ['Role', 'FromPaths', 'IgnoreMissing', 'Containers', 'Mode', 'LogLevel'] },
  rollout: { strategy: ['Manual', 'Automatic'] },
  rotation: { strategy: ['None', 'Restart'] },
  failurePolicy: ['Ignore', 'Fail'],
} as const;
