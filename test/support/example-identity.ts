import type { VaultIdentity } from '../../operator/vault-identities.ts';

/** An entry of the setting vaultIdentities that allows everything below secret/data/, with some of its fields changed. */
export function identityWith(changes: Partial<VaultIdentity> = {}): VaultIdentity {
  return {
    name: 'main',
    address: 'https://vault.vault.svc:8200',
    aliases: [],
    namespace: '',
    mount: 'kubernetes',
    role: 'operator',
    audience: 'vault',
    serviceAccount: 'operator-vault',
    caBundle: '',
    serverName: '',
    paths: ['secret/data/*'],
    namespaces: ['*'],
    ...changes,
  };
}
