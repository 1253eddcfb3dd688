import { codeOf, isTimeout, isUnknownName, tlsFaultOf } from '../../core/network-error.ts';
import type { VaultHealth } from './vault-port.ts';

/**
 * Reads the response of sys/health. Its body counts rather than its status code, which the server's configuration and
 * proxies may change. `hostOfAddress` is shown to users.
 */
export function healthOfAnswer(status: number, body: unknown, hostOfAddress: string): VaultHealth {
  const { initialized, sealed, standby } = (typeof body === 'object' && body !== null ? body : {}) as Record<
    string,
    unknown
  >;
  if (typeof initialized !== 'boolean' || typeof sealed !== 'boolean') {
    return bad('VaultAnswerUnexpected', `${hostOfAddress} answers with HTTP ${status}, but is not a Vault`);
  }
  if (!initialized) return bad('VaultNotInitialized', `Vault at ${hostOfAddress} is not initialized`);
  if (sealed) return bad('VaultSealed', `Vault at ${hostOfAddress} is sealed`);
  if (standby === true) {
    return { status: 'True', reason: 'VaultStandby', message: `Vault at ${hostOfAddress} answers, as a standby` };
  }
  return { status: 'True', reason: 'VaultReachable', message: `Vault at ${hostOfAddress} answers and is unsealed` };
}

export function redirectHealth(hostOfAddress: string): VaultHealth {
  const message = `${hostOfAddress} answers with a redirect, which is not followed: write the address of Vault itself`;
  return bad('VaultAnswerUnexpected', message);
}

/** Returns why there was no response. It uses only the code of the error: libraries attach requests to errors. */
export function healthOfError(error: unknown, hostOfAddress: string, hasCaBundle: boolean): VaultHealth {
  const code = codeOf(error);
  if (isTimeout(code)) return bad('VaultTimeout', `Vault at ${hostOfAddress} did not answer in time`);
  if (isUnknownName(code))
    return bad('VaultNameUnknown', `the host name of ${hostOfAddress} does not resolve (${code})`);
  const tls = tlsAdvice(code, hasCaBundle);
  if (tls !== undefined) return bad('VaultTLSFailed', `the TLS connection to ${hostOfAddress} fails (${code}): ${tls}`);
  return bad('VaultUnreachable', `cannot connect to ${hostOfAddress} (${code})`);
}

function tlsAdvice(code: string, hasCaBundle: boolean): string | undefined {
  switch (tlsFaultOf(code)) {
    case 'Untrusted':
      return hasCaBundle
        ? 'its certificate is not signed by a CA in spec.vault.tls.caBundle'
        : 'its certificate is not signed by a well-known CA; set spec.vault.tls.caBundle to the CA that signed it';
    case 'Expired':
    case 'NotYetValid':
      return 'its certificate has expired or is not valid yet; renew it';
    case 'OtherName':
      return 'its certificate is valid for other names; set spec.vault.tls.serverName to one of them';
    case 'NoTls':
      return 'the server does not speak TLS; check the scheme and port of the address';
    case 'Unverifiable':
      return 'its certificate cannot be verified';
    case undefined:
      return undefined;
  }
}

function bad(reason: VaultHealth['reason'], message: string): VaultHealth {
  return { status: 'False', reason, message };
}
