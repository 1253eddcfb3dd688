// Numbers of so many digits are below 2^53: each review compares some, and BigInt takes ten times as long.
const EXACT_DIGITS = 15;

/**
 * Compares two resourceVersions of one object: returns a negative number if `a` is older, 0 if they are the same, a
 * positive number if `a` is newer. Returns undefined if one of them is missing or not a number: they are numbers in
 * every API server there is, and KEP-5504 (comparable resource version) lets clients rely on it.
 */
export function compareVersions(a: string | undefined, b: string | undefined): number | undefined {
  if (!isNumber(a) || !isNumber(b)) return undefined;
  if (a.length <= EXACT_DIGITS && b.length <= EXACT_DIGITS) return Number(a) - Number(b);
  const [left, right] = [BigInt(a), BigInt(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

/**
 * Whether `a` is an earlier state of the same object than `b`: the response to a write may come before the watch events
 * for it and for earlier states. A version that cannot be compared counts as newer.
 */
export function isOlderState(
  a: { readonly uid?: string; readonly resourceVersion?: string },
  b: { readonly uid?: string; readonly resourceVersion?: string },
): boolean {
  return a.uid === b.uid && (compareVersions(a.resourceVersion, b.resourceVersion) ?? 0) < 0;
}

function isNumber(version: string | undefined): version is string {
  return version !== undefined && /^\d+$/.test(version);
}
