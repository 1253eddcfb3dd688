/**
 * Which of two resourceVersions of one object is the later: a negative number where `a` is the earlier one, 0 where they
 * are the same, a positive number where `a` is the later one. Undefined where one of them is missing or no number: they
 * are numbers in every API server there is, and KEP-5504 (comparable resource version) lets clients count on it.
 */
export function compareVersions(a: string | undefined, b: string | undefined): number | undefined {
  if (!isNumber(a) || !isNumber(b)) return undefined;
  const [left, right] = [BigInt(a), BigInt(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function isNumber(version: string | undefined): version is string {
  return version !== undefined && /^\d+$/.test(version);
}
