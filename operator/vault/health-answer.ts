import type { VaultHealth } from './vault-port.ts';

/**
 * Reads the answer to sys/health. Its body counts rather than its status code, which the server's configuration and
 * proxies in between may change. `hostOfAddress` is shown to people.
 */
export function healthOfAnswer(status: number, body: unknown, hostOfAddress: string): VaultHealth {
  const { initialized, sealed, standby } = (typeof body === 'object' && body !== null ? body : {}) as Record<
    string,
    unknown
  >;
  if (typeof initialized !== 'boolean' || typeof sealed !== 'boolean') {
    return bad('VaultAnswerUnexpected', `${hostOfAddress} answers with HTTP ${status}, but not as Vault does`);
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

// https://nodejs.org/api/tls.html#x509-certificate-error-codes; what OpenSSL says of the rest begins with ERR_SSL.
const UNTRUSTED = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_UNTRUSTED',
  'CERT_SIGNATURE_FAILURE',
]);
const EXPIRED = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);
const TIMED_OUT = new Set([
  'TimeoutError',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);
const NAME_UNKNOWN = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_NODATA', 'EAI_NONAME']);

/** Reads why there was no answer. Of the error nothing but its code is used: libraries hang requests on errors. */
export function healthOfError(error: unknown, hostOfAddress: string, hasCaBundle: boolean): VaultHealth {
  const code = innermostCode(error);
  if (TIMED_OUT.has(code)) return bad('VaultTimeout', `Vault at ${hostOfAddress} did not answer in time`);
  if (NAME_UNKNOWN.has(code)) return bad('VaultNameUnknown', `the name of ${hostOfAddress} does not resolve (${code})`);
  const tls = tlsAdvice(code, hasCaBundle);
  if (tls !== undefined) return bad('VaultTLSFailed', `the TLS connection to ${hostOfAddress} fails (${code}): ${tls}`);
  return bad('VaultUnreachable', `no connection to ${hostOfAddress} (${code})`);
}

function tlsAdvice(code: string, hasCaBundle: boolean): string | undefined {
  if (UNTRUSTED.has(code)) {
    return hasCaBundle
      ? 'its certificate is not signed by an authority of spec.vault.tls.caBundle'
      : 'its certificate is signed by no well-known authority; set spec.vault.tls.caBundle to the one that signed it';
  }
  if (EXPIRED.has(code)) return 'its certificate is not valid now; renew it';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return 'its certificate is for another name; set spec.vault.tls.serverName to one that is in it';
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL'))
    return 'it does not speak TLS there; check scheme and port of the address';
  return code.startsWith('CERT_') || code.startsWith('ERR_TLS') ? 'its certificate cannot be verified' : undefined;
}

function innermostCode(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const inner = error instanceof AggregateError ? (error.errors as unknown[])[0] : error.cause;
  if (inner instanceof Error) return innermostCode(inner);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

function bad(reason: VaultHealth['reason'], message: string): VaultHealth {
  return { status: 'False', reason, message };
}
