/**
 * Runs tasks a few at a time, in the order of arrival. If there is no room to wait, a task is rejected with what
 * `refusal` returns.
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
    // the next in line takes the slot over, so that nothing else can
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
