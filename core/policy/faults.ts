import { parseDuration } from '../duration.ts';
import { faultOfCertificates } from '../pem.ts';
import { matchesAny } from './match.ts';
import type { ReasonOf } from '../reasons.ts';
import type { VaultInjectionPolicySpec } from './policy.generated.ts';

/**
 * Why a policy that the API server has accepted cannot be used: the reasons of Accepted=False that compilation finds.
 */
export type FaultReason = Exclude<ReasonOf<'Accepted'>, 'Accepted' | 'SchemaInvalid'>;

export interface PolicyFault {
  readonly reason: FaultReason;
  /** For users: the field, and what to write there. Never a value. */
  readonly message: string;
}

/**
 * Returns what is wrong with a policy that the API server has accepted, or undefined. Only the first fault: each is
 * fixed separately. `defaultImage` is the operator's own injector image, '' if it has none.
 */
export function faultOf(spec: VaultInjectionPolicySpec, defaultImage: string): PolicyFault | undefined {
  return (
    imageFault(spec.injector.image, defaultImage) ??
    addressFault(spec.vault.address) ??
    plaintextFault(spec.vault) ??
    durationFault(spec) ??
    caBundleFault(spec.vault.tls?.caBundle ?? '') ??
    resourcesFault(spec.injector.resources) ??
    pathFault(spec.environment)
  );
}

function imageFault(image: string | undefined, defaultImage: string): PolicyFault | undefined {
  if ((image ?? '') !== '' || defaultImage !== '') return undefined;
  return {
    reason: 'InjectorImageMissing',
    message: 'spec.injector.image: write the image that contains vault-env, as the operator was started without one',
  };
}

function addressFault(address: string): PolicyFault | undefined {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.search && !url.hash)
    return undefined;
  return {
    reason: 'AddressInvalid',
    message:
      'spec.vault.address: write http or https, host, optional port and path, such as https://vault.vault.svc:8200',
  };
}

/** Whether what is sent to this address is not encrypted. */
export function isPlaintext(address: string): boolean {
  return /^http:/i.test(address);
}

/** Stored before the CRD asked for consent, or in a cluster whose API server does not evaluate the rule. */
function plaintextFault({ address, allowPlaintext }: VaultInjectionPolicySpec['vault']): PolicyFault | undefined {
  if (!isPlaintext(address) || allowPlaintext === true) return undefined;
  return {
    reason: 'PlaintextNotAllowed',
    message:
      'spec.vault.address: http sends tokens and secrets unencrypted; write an address that begins with https://, or ' +
      'agree to it with spec.vault.allowPlaintext: true',
  };
}

function durationFault({ vault, process, rotation }: VaultInjectionPolicySpec): PolicyFault | undefined {
  const minute = 60_000;
  const durations = [
    { field: 'vault.timeout', text: vault.timeout, min: 1000, max: 5 * minute, range: '1s to 5m' },
    // 600 s is the minimum that the API server accepts for a projected token
    {
      field: 'vault.auth.tokenExpiration',
      text: vault.auth.tokenExpiration,
      min: 10 * minute,
      max: 1440 * minute,
      range: '10m to 24h',
    },
    { field: 'process.delay', text: process.delay, min: 0, max: 10 * minute, range: '0s to 10m' },
    {
      field: 'process.leaseEnd.gracePeriod',
      text: process.leaseEnd?.gracePeriod ?? '0s',
      min: 0,
      max: 10 * minute,
      range: '0s to 10m',
    },
    { field: 'rotation.interval', text: rotation.interval, min: 5000, max: 1440 * minute, range: '5s to 24h' },
  ];
  const bad = durations.find(({ text, min, max }) => {
    const ms = parseDuration(text);
    return ms === undefined || ms < min || ms > max;
  });
  return bad && { reason: 'DurationInvalid', message: `spec.${bad.field}: write a duration from ${bad.range}` };
}

function caBundleFault(caBundle: string): PolicyFault | undefined {
  const fault = caBundle === '' ? undefined : faultOfCertificates(caBundle);
  return fault === undefined ? undefined : { reason: 'CABundleInvalid', message: `spec.vault.tls.caBundle: ${fault}` };
}

// apimachinery's pkg/api/resource: a number, and a binary, a decimal or an exponent suffix.
const QUANTITY = /^\+?(?:\d+\.?\d*|\.\d+)(?:[KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/;

function resourcesFault(resources: VaultInjectionPolicySpec['injector']['resources']): PolicyFault | undefined {
  for (const kind of ['requests', 'limits'] as const)
    for (const [name, quantity] of Object.entries(resources?.[kind] ?? {}))
      if (!QUANTITY.test(String(quantity)))
        return {
          reason: 'ResourcesInvalid',
          message: `spec.injector.resources.${kind}.${name}: write a quantity, such as 100m for cpu or 64Mi for memory`,
        };
  return undefined;
}

/** CEL checks only what is before the first * and after the last: its cost budget has no room for more. */
function pathFault({
  fromPaths = [],
  allowedPaths = [],
}: VaultInjectionPolicySpec['environment']): PolicyFault | undefined {
  const at = allowedPaths.length === 0 ? -1 : fromPaths.findIndex(({ path }) => !matchesAny(allowedPaths, path));
  if (at < 0) return undefined;
  return {
    reason: 'PathNotAllowed',
    message: `spec.environment.fromPaths[${at}].path: is not in allowedPaths; add it there or remove it here`,
  };
}
