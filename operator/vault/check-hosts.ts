/**
 * Which Vaults the operator may ask for their health. The author of a policy names its Vault, and learns from the
 * condition VaultReachable what answers there: so addresses of the operator itself and of clouds' metadata are asked only
 * if the settings name the host. Pure.
 */
import { readList } from '../../core/list.ts';
import { matchesAny } from '../../core/policy/match.ts';
import { isBlockedAddress } from '../../kube/egress-guard.ts';

export class CheckHosts {
  readonly #patterns: readonly string[];
  readonly #named: readonly string[];

  /**
   * @param setting hosts as URLs write them, with or without a port (without one: any port), separated by commas; * as
   * wildcard
   * @param named addresses (URLs) of Vaults that another setting names
   */
  constructor(setting: string, named: readonly string[] = []) {
    const hosts = named.map((address) => new URL(address).host);
    this.#patterns = [...readList(setting).map((host) => host.toLowerCase()), ...hosts];
    this.#named = this.#patterns.filter((pattern) => !pattern.includes('*'));
  }

  /** Returns why a Vault may not be asked, for the author of a policy; undefined if it may. */
  refusal(address: string): string | undefined {
    const { host, hostname } = new URL(address);
    if (!matchesAny(this.#patterns, host) && !matchesAny(this.#patterns, hostname)) {
      return `the health of ${host} is not checked: the operator may not ask it (setting vaultCheckHosts)`;
    }
    return !this.isNamed(address) && isBlockedAddress(hostname) ? blockedHost(host) : undefined;
  }

  /** Whether the settings name the host and do not just match it by a wildcard: such a host may have any address. */
  isNamed(address: string): boolean {
    const { host, hostname } = new URL(address);
    return this.#named.includes(host) || this.#named.includes(hostname);
  }
}

/** Returns the same for a host that has turned out to be at a blocked address. */
export function blockedHost(host: string): string {
  return `the health of ${host} is not checked: it is at an address that is only asked if the setting vaultCheckHosts names the host`;
}
