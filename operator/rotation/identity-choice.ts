/** Which of the operator's identities a policy gets its versions by. Pure. */
import { matchesAny } from '../../core/policy/match.ts';
import type { Rule } from '../../core/policy/rule.ts';
import { listed } from '../../core/shown.ts';
import type { Statement } from '../policies/conditions.ts';
import type { VaultIdentity } from '../vault-identities.ts';

/** What the choice depends on. */
export interface Referring {
  /** Of the policy, and so of its workloads. */
  readonly namespace: string;
  /** Of the entry; '' for the one that is for the policy's Vault. */
  readonly name: string;
  readonly vault: Pick<Rule['vault'], 'address' | 'namespace'>;
}

/** Returns the entry for a policy, or why there is none. */
export type IdentityChoice = (referring: Referring) => VaultIdentity | Statement;

/**
 * Returns how to choose among the entries. What a policy says is only compared: an entry is for one Vault, and a policy
 * whose pods read from another one would be told versions of secrets that they have nothing to do with.
 */
export function choiceAmong(identities: readonly VaultIdentity[]): IdentityChoice {
  const byName = new Map(identities.map((identity) => [identity.name, identity]));
  const byVault = new Map<string, Set<VaultIdentity>>();
  for (const identity of identities) {
    for (const address of [identity.address, ...identity.aliases]) {
      const id = idOf(address, identity.namespace);
      byVault.set(id, (byVault.get(id) ?? new Set()).add(identity));
    }
  }
  return ({ namespace, name, vault }) => {
    const ofVault = byVault.get(idOf(vault.address, vault.namespace)) ?? new Set();
    const where = vault.namespace === '' ? vault.address : `${vault.address} with the namespace ${vault.namespace}`;
    return name === ''
      ? onlyOne([...ofVault], namespace, where)
      : named(name, byName.get(name), (identity) => ofVault.has(identity), namespace, where);
  };
}

function named(
  name: string,
  identity: VaultIdentity | undefined,
  isOfVault: (identity: VaultIdentity) => boolean,
  namespace: string,
  where: string,
): VaultIdentity | Statement {
  // whether there is one for others is not for its author
  if (identity === undefined || !isFor(identity, namespace)) {
    return refused(
      'RotationVaultUnknown',
      `the operator's setting vaultIdentities has no entry ${name} for the namespace ${namespace}`,
    );
  }
  if (isOfVault(identity)) return identity;
  return refused(
    'RotationVaultDiffers',
    `the entry ${name} of the operator's setting vaultIdentities is for another Vault than ${where}`,
  );
}

function onlyOne(ofVault: readonly VaultIdentity[], namespace: string, where: string): VaultIdentity | Statement {
  if (ofVault.length === 0) {
    return refused(
      'RotationVaultNotAllowed',
      `the operator logs in only to Vaults that its setting vaultIdentities names, and ${where} is not one of them`,
    );
  }
  const allowed = ofVault.filter((identity) => isFor(identity, namespace));
  const [only] = allowed;
  // the names of entries for others are not for its author
  if (only === undefined) return notForNamespace(namespace, `every entry for ${where}`);
  if (allowed.length === 1) return only;
  const names = allowed.map((identity) => identity.name);
  return refused(
    'RotationVaultAmbiguous',
    `several entries of the operator's setting vaultIdentities are for ${where}: write one of ${listed(names)} in spec.rotation.vault`,
  );
}

/** Returns the paths that the entry lets the operator look at for workloads of a namespace, * as wildcard. */
export function boundsOf({ paths }: Pick<VaultIdentity, 'paths'>, namespace: string): readonly string[] {
  return paths.map((path) => path.replaceAll('{namespace}', () => namespace));
}

function isFor({ namespaces }: VaultIdentity, namespace: string): boolean {
  return matchesAny(namespaces, namespace);
}

function idOf(address: string, namespace: string): string {
  const trim = (text: string): string => text.replace(/^\/+|\/+$/g, '');
  // Host in lower case, default port left out, as a client reads it.
  const { origin, pathname } = new URL(address);
  return `${origin}/${trim(pathname)}#${trim(namespace)}`;
}

function notForNamespace(namespace: string, entry: string): Statement {
  return refused(
    'RotationNamespaceNotAllowed',
    `${entry} of the operator's setting vaultIdentities is for other namespaces than ${namespace}`,
  );
}

function refused(reason: Statement['reason'], message: string): Statement {
  return { status: 'False', reason, message };
}
