const SUFFIX: Readonly<Record<string, readonly [base: bigint, exponent: number]>> = {
  n: [10n, -9],
  u: [10n, -6],
  m: [10n, -3],
  '': [10n, 0],
  k: [10n, 3],
  M: [10n, 6],
  G: [10n, 9],
  T: [10n, 12],
  P: [10n, 15],
  E: [10n, 18],
  Ki: [2n, 10],
  Mi: [2n, 20],
  Gi: [2n, 30],
  Ti: [2n, 40],
  Pi: [2n, 50],
  Ei: [2n, 60],
};
// The smallest unit that Kubernetes keeps (resource.Quantity): 10^-9.
const NANO = 1_000_000_000n;

/**
 * Whether two Kubernetes quantities are equal. The API server normalizes quantities (0.5 comes back as 500m, 1024Mi as
 * 1Gi), so comparing texts would find differences where there are none.
 */
export function sameQuantity(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  const left = nano(a);
  return left !== undefined && left === nano(b);
}

/** Returns a number below, at or above 0 as `a` is less than, equal to or more than `b`; undefined if one is no quantity. */
export function compareQuantities(a: unknown, b: unknown): number | undefined {
  const [fewA, fewB] = [wholeBytes(a), wholeBytes(b)];
  if (fewA !== undefined && fewB !== undefined) return fewA - fewB;
  const [left, right] = [nano(a), nano(b)];
  if (left === undefined || right === undefined) return undefined;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Returns the bytes of whole Mi or Gi, as nearly all quantities of memory are written; undefined for all others. */
function wholeBytes(quantity: unknown): number | undefined {
  if (typeof quantity !== 'string' || quantity.length > 8 || quantity.length < 3) return undefined;
  const unit = quantity.endsWith('Mi') ? 2 ** 20 : quantity.endsWith('Gi') ? 2 ** 30 : undefined;
  if (unit === undefined) return undefined;
  let whole = 0;
  for (let at = 0; at < quantity.length - 2; at++) {
    const digit = quantity.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    whole = 10 * whole + digit;
  }
  return whole * unit;
}

/** Returns a quantity in units of 10^-9, or undefined if it is not one (or longer than anybody writes). */
function nano(quantity: unknown): bigint | undefined {
  if (typeof quantity !== 'string' || quantity.length > 32) return undefined;
  const bytes = wholeBytes(quantity);
  if (bytes !== undefined) return BigInt(bytes) * NANO;
  const match = /^([+-]?)(\d*)\.?(\d*)(?:([numkMGTPE]?|[KMGTPE]i)|[eE]([+-]?\d{1,2}))$/.exec(quantity);
  const [, sign = '', whole = '', fraction = '', suffix = '', decimal] = match ?? [];
  if (match === null || whole + fraction === '') return undefined;
  const [base, exponent] = decimal === undefined ? (SUFFIX[suffix] ?? [10n, 0]) : [10n, Number(decimal)];
  let numerator = BigInt(whole + fraction) * NANO;
  let denominator = 10n ** BigInt(fraction.length);
  if (exponent < 0) denominator *= base ** BigInt(-exponent);
  else numerator *= base ** BigInt(exponent);
  const rounded = (numerator + denominator - 1n) / denominator;
  return sign === '-' ? -rounded : rounded;
}
