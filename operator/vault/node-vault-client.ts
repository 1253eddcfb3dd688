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

  constructor(options: { readonly timeoutMs?: number } = {}) {
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  }

  async health(target: VaultTarget): Promise<VaultHealth> {
    const { host } = new URL(target.address);
    const bounds = { timeoutMs: this.#timeoutMs, longestAnswer: LONGEST_ANSWER };
    const agent = agentFor(target, this.#timeoutMs, 1);
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
      return error instanceof RedirectAnswer
        ? redirectHealth(host)
        : healthOfError(error, host, target.caBundle !== '');
    } finally {
      // One check a minute: a connection kept open would be closed by the next.
      await agent.destroy();
    }
  }
}
