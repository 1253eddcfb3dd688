/**
 * Why a connection failed, by the code of an error alone. Messages, causes and other fields of errors are never read:
 * libraries attach whole requests to them, with credentials.
 */

/**
 * Returns the code of the innermost error, such as ECONNREFUSED (undici wraps the system's error, sometimes twice; of
 * several attempts the first counts). Without a code, the error's name, such as TimeoutError; if what was thrown is not
 * an error, its type.
 */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const inner = error instanceof AggregateError ? (error.errors as unknown[])[0] : error.cause;
  if (inner instanceof Error) return codeOf(inner);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

/**
 * What is wrong with TLS.
 * - Untrusted: the certificate is not signed by a trusted authority
 * - Expired, NotYetValid: the certificate is not valid now
 * - OtherName: the certificate is for another name
 * - NoTls: the peer does not speak TLS, or no version that Node speaks
 * - Unverifiable: something else is wrong with the certificate
 */
export type TlsFault = 'Untrusted' | 'Expired' | 'NotYetValid' | 'OtherName' | 'NoTls' | 'Unverifiable';

// https://nodejs.org/api/tls.html#x509-certificate-error-codes
const TLS_FAULTS: ReadonlyMap<string, TlsFault> = new Map<string, TlsFault>([
  ['CERT_SIGNATURE_FAILURE', 'Untrusted'],
  ['CERT_UNTRUSTED', 'Untrusted'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'Untrusted'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'Untrusted'],
  ['UNABLE_TO_GET_ISSUER_CERT', 'Untrusted'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'Untrusted'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'Untrusted'],
  ['CERT_HAS_EXPIRED', 'Expired'],
  ['CERT_NOT_YET_VALID', 'NotYetValid'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'OtherName'],
  ['EPROTO', 'NoTls'],
]);

/** Returns what is wrong with TLS by the code of an error, or undefined if the code is about something else. */
export function tlsFaultOf(code: string): TlsFault | undefined {
  const known = TLS_FAULTS.get(code);
  if (known !== undefined) return known;
  // OpenSSL's codes for everything but certificates
  if (code.startsWith('ERR_SSL')) return 'NoTls';
  return code.startsWith('CERT_') || code.startsWith('ERR_TLS') ? 'Unverifiable' : undefined;
}

const TIMEOUTS: ReadonlySet<string> = new Set([
  'TimeoutError', // of AbortSignal.timeout()
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/** Whether a code means a timeout. */
export function isTimeout(code: string): boolean {
  return TIMEOUTS.has(code);
}

// getaddrinfo(3), by their names in libuv
const UNKNOWN_NAMES: ReadonlySet<string> = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_NODATA', 'EAI_NONAME']);

/** Whether a code means that the host name does not resolve, now or ever. */
export function isUnknownName(code: string): boolean {
  return UNKNOWN_NAMES.has(code);
}

const EXPLAINED: ReadonlyMap<string, string> = new Map([
  ['TimeoutError', 'no answer in time'],
  ['UND_ERR_CONNECT_TIMEOUT', 'connection timed out'],
  ['UND_ERR_HEADERS_TIMEOUT', 'no answer in time'],
  ['UND_ERR_BODY_TIMEOUT', 'timed out mid-response'],
  ['UND_ERR_SOCKET', 'connection closed mid-response'],
  ['ECONNREFUSED', 'connection refused'],
  ['ECONNRESET', 'connection reset'],
]);

/** Returns what a code says about the connection, in words; undefined if the code itself says most. */
export function explained(code: string): string | undefined {
  return EXPLAINED.get(code);
}
