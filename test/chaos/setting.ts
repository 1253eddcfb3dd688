/** A number from the environment, for a look that takes less time. Throws if it is none above 0. */
export function setting(variable: string, byDefault: number): number {
  const value = Number(process.env[variable] ?? byDefault);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`${variable}=${process.env[variable] ?? ''}: write a number above 0`);
}
