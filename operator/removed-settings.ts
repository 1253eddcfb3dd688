/** Settings of earlier versions: an operator that ignored one would look as if it did what it says. */

const ENTRY = 'vaultIdentities, a list of entries with name, address and paths (docs/guides/rotation.md)';

/** By the key in the file: what to write instead. */
const REMOVED: Readonly<Record<string, string>> = {
  rotationVaults: `write ${ENTRY}: address for what is before #, and namespace for what is after it`,
  rotationRole: `write role in each entry of ${ENTRY}`,
  rotationMount: `write mount in each entry of ${ENTRY}; the mount of the policy counts no longer`,
  rotationAudience: `write audience in each entry of ${ENTRY}`,
  rotationServiceAccount:
    'write vaultServiceAccount (--vault-service-account, VAULT_INJECTION_VAULT_SERVICE_ACCOUNT), which has the same meaning',
};

/**
 * Returns the message about a setting that is no more, which says what to write instead; undefined if it is none of them.
 *
 * @param written a key of the file, an argument of the command line, or the name of an environment variable
 */
export function removedSetting(written: string): string | undefined {
  const [name = ''] = written.split('=');
  const found = Object.entries(REMOVED).find(([key]) => [key, flagOf(key), variableOf(key)].includes(name));
  return found && `${name} is no setting any more; ${found[1]}`;
}

function flagOf(key: string): string {
  return `--${dashed(key)}`;
}

function variableOf(key: string): string {
  return `VAULT_INJECTION_${dashed(key).replaceAll('-', '_').toUpperCase()}`;
}

function dashed(key: string): string {
  return key.replace(/[A-Z]/g, (upper) => `-${upper.toLowerCase()}`);
}
