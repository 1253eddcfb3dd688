/**
 * Runs tasks a few at a time, for groups (namespaces, as a rule) that take turns: what hangs for one of them costs the
 * others neither their slots nor their place in the queue.
 */
import { FairQueue } from './fair-queue.ts';

export interface SlotLimits {
  /** Tasks at the same time. */
  readonly active: number;
  /** The same, of one group. */
  readonly activeOfGroup: number;
  /** Tasks that may wait. */
  readonly waiting: number;
}

/** Runs a task when its group has its turn; rejects as the task does, or because there is no room to wait. */
export type Run = <T>(group: string, task: () => Promise<T>) => Promise<T>;

/**
 * Returns a function that runs tasks. A task for which there is no room is rejected with what `refusal` returns: one of
 * the group that has most of them waiting.
 */
export function slots(limits: SlotLimits, refusal: () => Error): Run {
  const active = new Map<string, number>();
  let total = 0;
  const queue = new FairQueue<{ readonly enter: () => void; readonly refuse: (error: Error) => void }>(limits.waiting);
  const hasRoom = (group: string): boolean => (active.get(group) ?? 0) < limits.activeOfGroup;
  const enter = (group: string): void => {
    total++;
    active.set(group, (active.get(group) ?? 0) + 1);
  };
  const entered = (group: string): Promise<void> | undefined => {
    if (total < limits.active && hasRoom(group)) {
      enter(group);
      return undefined;
    }
    return new Promise((resolve, reject) => {
      queue.add(group, { enter: resolve, refuse: reject })?.refuse(refusal());
    });
  };
  const left = (group: string): void => {
    total--;
    const others = (active.get(group) ?? 1) - 1;
    if (others === 0) active.delete(group);
    else active.set(group, others);
    // the next in line gets the slot here, so that nothing else can take it
    const next = queue.take(hasRoom);
    if (next === undefined) return;
    enter(next.group);
    next.item.enter();
  };
  return async (group, task) => {
    await entered(group);
    try {
      return await task();
    } finally {
      left(group);
    }
  };
}
