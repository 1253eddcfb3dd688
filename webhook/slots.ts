/**
 * Runs tasks a few at a time, in the order in which they came. Those for whom there is no room to wait are rejected with
 * what `refusal` gives.
 */
export function slots(
  limits: { readonly active: number; readonly waiting: number },
  refusal: () => Error,
): <T>(task: () => Promise<T>) => Promise<T> {
  let active = 0;
  const queue: (() => void)[] = [];
  const entered = (): Promise<void> | undefined => {
    if (active < limits.active) {
      active++;
      return undefined;
    }
    if (queue.length >= limits.waiting) throw refusal();
    return new Promise((resolve) => queue.push(resolve));
  };
  const left = (): void => {
    // who waits takes the place over, so that nobody comes between
    const next = queue.shift();
    if (next === undefined) active--;
    else next();
  };
  return async (task) => {
    await entered();
    try {
      return await task();
    } finally {
      left();
    }
  };
}
