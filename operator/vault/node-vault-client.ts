import { codeOf } from '../../core/network-error.ts';
import { BLOCKED_ADDRESS, guardedLookup } from '../../kube/egress-guard.ts';
import { blockedHost } from './check-hosts.ts';
import type { CheckHosts } from './check-hosts.ts';
import { healthOfAnswer, healthOfError, redirectHealth } from './health-answer.ts';
import { agentFor, clientWith, RedirectAnswer, send } from './transport.ts';
import type { VaultHealth, VaultPort, VaultTarget } from './vault-port.ts';

// Half of the time that one reconcile may take; a Vault that needs longer is as good as unavailable.
const TIMEOUT_MS = 4_000;
// sys/health is about 300 bytes. The address comes from the author of a policy, and may lead anywhere.
const LONGEST_ANSWER = 64 * 1024;

/** VaultPort on node-vault. */
export class NodeVaultClient implements VaultPort {
  readonly #timeoutMs: number;
  readonly #hosts: CheckHosts;

  constructor(options: { readonly timeoutMs?: number; readonly hosts: CheckHosts }) {
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#hosts = options.hosts;
  }

  async health(target: VaultTarget): Promise<VaultHealth> {
    const { host } = new URL(target.address);
    const refusal = this.#hosts.refusal(target.address);
    if (refusal !== undefined) return unasked(refusal);
    const bounds = { timeoutMs: this.#timeoutMs, longestAnswer: LONGEST_ANSWER };
    // the socket connects to the addresses that were judged, whatever the name resolves to the next time
    const lookup = this.#hosts.isNamed(target.address) ? undefined : guardedLookup();
    const agent = agentFor(target, this.#timeoutMs, 1, lookup);
    let status = 0;
    try {
      // Vault answers sys/health only in the root namespace, for all namespaces.
      const client = clientWith(target.address, '', async (asked) => {
        const response = await send(asked, agent, bounds);
        status = response.statusCode;
        return response;
      });
      const body: unknown = await client.health();
      return healthOfAnswer(status, body, host);
    } catch (error) {
      if (codeOf(error) === BLOCKED_ADDRESS) return unasked(blockedHost(host));
      return error instanceof RedirectAnswer
        ? redirectHealth(host)
        : healthOfError(error, host, target.caBundle !== '');
    } finally {
      // One check a minute: a connection kept open would be closed by the next.
      await agent.destroy();
    }
  }
}

function unasked(message: string): VaultHealth {
  return { status: 'Unknown', reason: 'VaultNotChecked', message };
}
