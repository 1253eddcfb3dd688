/** The reasons of the condition Rotating, part of the catalogue in reasons.ts. */
export const ROTATION_REASONS = {
  // whether newer versions of secrets restart workloads, which never withdraws a rule
  RotationActive: {
    usedBy: ['Rotating'],
    meaning: 'The operator watches the versions of the secrets that the workloads of the policy read.',
    action: '',
  },
  RotationIdle: {
    usedBy: ['Rotating'],
    meaning:
      'No injected workload of the policy whose pods have started reads the latest version of a KV version 2 secret.',
    action: '',
  },
  RotationPending: {
    usedBy: ['Rotating'],
    meaning: 'The operator has not asked Vault yet.',
    action: 'Wait a few seconds.',
  },
  RotationVaultNotAllowed: {
    usedBy: ['Rotating'],
    meaning:
      'The operator does not log in to the Vault of the policy: no entry of its setting vaultIdentities is for it.',
    action: 'Ask the platform team for an entry with this address and namespace of Vault (docs/guides/rotation.md).',
  },
  RotationVaultUnknown: {
    usedBy: ['Rotating'],
    meaning:
      'The operator’s setting vaultIdentities has no entry with the name in spec.rotation.vault for this namespace.',
    action: 'Write the name of an entry there, or leave it out; the platform team knows the names.',
  },
  RotationVaultAmbiguous: {
    usedBy: ['Rotating'],
    meaning: 'Several entries of the operator’s setting vaultIdentities are for the Vault of the policy.',
    action: 'Write the name of one of those that the message names in spec.rotation.vault.',
  },
  RotationVaultDiffers: {
    usedBy: ['Rotating'],
    meaning: 'The entry in spec.rotation.vault is for another Vault than spec.vault, which pods read from.',
    action:
      'Name the entry for this Vault. If it is the same Vault at another address, ask the platform team to add that to the aliases of the entry.',
  },
  RotationNamespaceNotAllowed: {
    usedBy: ['Rotating'],
    meaning: 'The entry of the operator’s setting vaultIdentities is not for policies of this namespace.',
    action: 'Ask the platform team to add the namespace to the namespaces of the entry (docs/guides/rotation.md).',
  },
  RotationPathNotAllowed: {
    usedBy: ['Rotating'],
    meaning:
      'The entry of the operator’s setting vaultIdentities does not allow to look at paths that workloads read: new versions of them restart nothing.',
    action: 'Ask the platform team to add the paths that the message names to the paths of the entry, or leave it so.',
  },
  RotationTooManyPaths: {
    usedBy: ['Rotating'],
    meaning:
      'The workloads of the policy read more secrets than the operator watches for one policy (2,000): new versions of the others restart nothing.',
    action: 'Divide the workloads among several policies, or pin versions in references.',
  },
  RotationTokenRefused: {
    usedBy: ['Rotating'],
    meaning: 'The API server does not issue the operator a token of its ServiceAccount to log in to Vault with.',
    action:
      'Check that the ServiceAccount that the message names exists, and that config/rbac has its rule for serviceaccounts/token.',
  },
  RotationLoginRefused: {
    usedBy: ['Rotating'],
    meaning: 'Vault answers but does not let the operator log in.',
    action: 'Create the operator’s role at the auth mount that the message names (docs/guides/rotation.md).',
  },
  RotationVaultAway: {
    usedBy: ['Rotating'],
    meaning: 'The operator gets no usable answer from Vault; until it does, nothing is restarted.',
    action: 'See the condition VaultReachable. The operator tries again at least twice a minute.',
  },
  RotationPathForbidden: {
    usedBy: ['Rotating'],
    meaning: 'The operator’s role in Vault may not read the metadata of a secret that a workload reads.',
    action: 'Give the role the capability read on the metadata path, never on the data path (docs/guides/rotation.md).',
  },
  RotationAnswerUnexpected: {
    usedBy: ['Rotating'],
    meaning: 'Vault answers for a path, but not with the metadata of a secret.',
    action: 'Look for the path in the log of Vault. If it cannot be fixed, pin the version in the reference.',
  },
} as const;
